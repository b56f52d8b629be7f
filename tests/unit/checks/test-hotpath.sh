#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Does scripts/check-hotpath see each kind of banned call, and let pass what is no call of it?
# shellcheck source=plant.sh
. "$(dirname "$0")/plant.sh"

# body FUNCTION STATEMENT: sets $text to a function whose second line is the statement.
body() {
	text="int $1(int a) {
	$2;
	return a;
}"
}
body_caught() { # FILE RULE FUNCTION STATEMENT
	body "$3" "$4"
	caught "$1" 2 "$2" "$text"
}
body_passes() { # FILE FUNCTION STATEMENT
	body "$2" "$3"
	passes "$1" "$text"
}

body tcp_input 'a = tcp_send(a)'
put dataplane/tcp/tcp.c "$text"
clean

while read -r rule call; do
	for f in net tcp tls http ws sip reg core; do
		body_caught "dataplane/$f/x.c" "$rule" run "$call"
	done
done <<END
memory p = malloc(1)
memory calloc(1, 1)
memory realloc(p, 1)
memory free(p)
memory strdup(s)
output printf("%d", a)
output snprintf(b, 1, "x")
output syslog(1, "x")
disk fopen("x", "r")
disk read(0, p, 1)
disk write(0, p, 1)
socket send(0, p, 1, 0)
socket recv(0, p, 1, 0)
socket socket(1, 1, 1)
wait sleep(1)
wait usleep(1)
wait nanosleep(&t, 0)
wait synchronize_rcu()
time clock_gettime(0, &t)
time gettimeofday(&t, 0)
time time(NULL)
random getrandom(p, 1, 0)
random rand()
lock pthread_mutex_lock(&m)
lock rte_spinlock_lock(&m)
thread pthread_create(&t, 0, f, 0)
end abort()
end exit(1)
end assert(a)
END

# control plane: memory and text are fine, the system is not
while read -r rule call; do
	body_caught controlplane/ims/x.c "$rule" run "$call"
	body_caught controlplane/core/x.c "$rule" run "$call"
	body_passes controlplane/core/env_real_x.c run "$call"
done <<END
time time(NULL)
time clock_gettime(0, &t)
random getrandom(p, 1, 0)
socket socket(1, 1, 1)
disk open("x", 0)
wait usleep(1)
lock pthread_mutex_lock(&m)
thread pthread_create(&t, 0, f, 0)
END
body_passes controlplane/ims/x.c run 'p = malloc(1)'
body_passes controlplane/ims/x.c run 'snprintf(b, 1, "x")'
body_passes controlplane/cli/x.c run 'send(0, p, 1, 0)'
body_caught controlplane/ctl/x.c socket run 'send(0, p, 1, 0)'
body_caught controlplane/new/x.c wait run 'sleep(1)'

# exemptions hold for the named function only
body_passes dataplane/tcp/x.c tcp_new 'p = malloc(1)'
body_passes dataplane/tcp/x.c tcp_free 'free(p)'
body_caught dataplane/tcp/x.c time tcp_new 'p = time(NULL)'
body_caught dataplane/tcp/x.c memory tcp_newer 'p = malloc(1)'
body tcp_new 'p = malloc(1)'
first=$text
body tcp_input 'p = malloc(1)'
caught dataplane/tcp/x.c 6 memory "$first
$text"
body_passes dataplane/core/idle_x.c run 'nanosleep(&t, 0)'
body_caught dataplane/core/idle_x.c memory run 'malloc(1)'

# what only looks like one
body_passes dataplane/tcp/x.c run \
	'sink->send(a), ops.free(a), my_free(a), free_all(a), v.time = 1, "free(p)"'
passes dataplane/tcp/x.c '// malloc(1)
/* free(p)
 time(NULL) */'
passes dataplane/tcp/x.c 'static int accept(int a) {
	return a;
}
int run(int a) {
	return accept(a);
}'
body_caught dataplane/tcp/x.c memory run 'x("//"), free (p)'
body_caught dataplane/tcp/x.c memory run 'x(y(free(p)))'
body_caught dataplane/tcp/x.c memory run "a = '\"', free(p)"
caught dataplane/tcp/x.h 2 end 'static inline void run(void) {
	abort();
}'
caught dataplane/new/x.c 1 table 'int x;'
finish
