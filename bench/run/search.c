// SPDX-License-Identifier: BSD-3-Clause
// The search for a rate.
#include "search.h"

#define MAX_TRIALS 40

void search_init(struct search *s, double loss, double first, double precision) {
	*s = (struct search){.loss = loss, .rate = first, .precision = precision};
}

double search_rate(const struct search *s) {
	return s->rate;
}

void search_tell(struct search *s, double lost_share) {
	if (lost_share <= s->loss)
		s->good = s->rate > s->good ? s->rate : s->good;
	else
		s->bad = s->bad == 0 || s->rate < s->bad ? s->rate : s->bad;
	if (++s->n_trials == MAX_TRIALS || (s->bad > 0 && s->bad < 1))
		s->rate = 0;
	else if (s->bad == 0)
		s->rate = s->good * 2;
	else if (s->good == 0)
		s->rate = s->bad / 2;
	else
		s->rate = s->bad - s->good <= s->precision * s->bad ? 0 : (s->good + s->bad) / 2;
}
