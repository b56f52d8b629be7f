#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Does scripts/check-includes see each kind of violation, and let pass what is allowed?
# shellcheck source=plant.sh
. "$(dirname "$0")/plant.sh"

for f in net tcp tls http ws sip reg core; do
	put "dataplane/$f/$f.c" '#include "regate/slice.h"'
done
clean

# siblings
for f in net tcp tls http ws sip reg; do
	for g in net tcp tls http ws sip reg core; do
		[ "$f" = "$g" ] || caught "dataplane/$f/x.c" 1 folder "#include \"$g/$g.h\""
	done
	passes "dataplane/$f/x.c" "#include \"$f/$f.h\""
	passes dataplane/core/x.c "#include \"$f/$f.h\""
	passes "dataplane/$f/x.c" '#include "own.h"'
	caught "dataplane/$f/x.c" 1 path '#include "../core/core.h"'
	caught "dataplane/$f/x.c" 1 folder '#include "lease/lease.h"'
	for h in rte_mbuf.h sys/socket.h time.h unistd.h pthread.h threads.h; do
		caught "dataplane/$f/x.c" 1 header "#include <$h>"
	done
done
for f in net tcp http ws sip; do
	for h in urcu/urcu-qsbr.h openssl/ssl.h intel-ipsec-mb.h; do
		caught "dataplane/$f/x.h" 1 header "#include <$h>"
	done
done
caught dataplane/tls/x.c 1 header '#include <urcu/urcu-qsbr.h>'
passes dataplane/tls/x.c '#include <openssl/ssl.h>'
passes dataplane/tls/x.c '#include <intel-ipsec-mb.h>'
caught dataplane/reg/x.c 1 header '#include <openssl/ssl.h>'
passes dataplane/reg/x.c '#include <urcu/urcu-qsbr.h>'
passes dataplane/core/x.c '#include <rte_mbuf.h>'
caught dataplane/core/x.c 1 header '#include <openssl/ssl.h>'
caught dataplane/core/x.c 1 folder '#include "conf/conf.h"'

# shared headers
caught include/regate/x.h 1 folder '#include "tcp/tcp.h"'
caught include/regate/x.h 1 header '#include <urcu/urcu-qsbr.h>'
passes include/regate/lease.h '#include <urcu/urcu-qsbr.h>'
caught common/x.c 1 header '#include <openssl/evp.h>'
passes common/digest.c '#include <openssl/evp.h>'

# control plane
for h in rte_eal.h time.h sys/socket.h sys/epoll.h netinet/in.h sys/random.h fcntl.h unistd.h \
	pthread.h; do
	caught controlplane/ims/x.c 1 header "#include <$h>"
	caught controlplane/core/x.c 1 header "#include <$h>"
done
for g in tcp/tcp.h dataplane/tcp/tcp.h cli/cli.h ctl/ctl.h; do
	caught controlplane/lease/x.c 1 folder "#include \"$g\""
done
passes controlplane/ims/x.c '#include "core/env.h"'
passes controlplane/core/env_real_x.c '#include <sys/epoll.h>'
caught controlplane/core/env_timer.c 1 header '#include <time.h>'
passes controlplane/store/store_sqlite.c '#include <sqlite3.h>'
caught controlplane/store/store_mem.c 1 header '#include <sqlite3.h>'
passes controlplane/cli/x.c '#include <sys/socket.h>'
caught controlplane/cli/x.c 1 folder '#include "core/env.h"'
caught controlplane/ctl/x.c 1 header '#include <sys/socket.h>'
passes controlplane/main.c '#include <sys/mman.h>'

# how it reads
caught dataplane/tcp/x.c 2 header '
  #  include   <time.h>'
passes dataplane/tcp/x.c '// #include <time.h>
/*
#include <time.h>
*/'
caught dataplane/tcp/x.c 1 macro '#include HEADER'
caught dataplane/new/x.c 1 table '#include "regate/x.h"'
finish
