// SPDX-License-Identifier: BSD-3-Clause
// Whole files into memory (configuration, keys, pool files). Blocks on the disk, so it is for start
// and reload, not for every request.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/env_real.h"

// O_NONBLOCK: opening a FIFO must not hang the loop.
static int open_regular(const char *path, size_t *size) {
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int rc;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		rc = -errno;
	else if (S_ISDIR(st.st_mode))
		rc = -EISDIR;
	else if (!S_ISREG(st.st_mode))
		rc = -EINVAL;
	else {
		*size = (size_t)st.st_size;
		return fd;
	}
	close(fd);
	return rc;
}

// Reads until the end, whatever size stat told: the file may be growing.
static int read_all(int fd, size_t size, size_t max, uint8_t **data, size_t *len) {
	size_t n = 0, cap = 0, first = size < 4096 || size > max ? 4096 : size + 1;
	uint8_t *buf = NULL, *grown;
	ssize_t got = 1;

	while (got > 0) {
		if (n == cap) {
			if (n > max)
				goto too_big;
			cap = cap == 0 ? first : 2 * cap;
			grown = realloc(buf, cap + 1);
			if (grown == NULL)
				goto err;
			buf = grown;
		}
		got = read(fd, buf + n, cap - n);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got < 0)
			goto err;
		else
			n += (size_t)got;
	}
	if (n > max)
		goto too_big;
	buf[n] = '\0';
	*data = buf;
	*len = n;
	return 0;
too_big:
	errno = EFBIG;
err:
	n = (size_t)errno;
	free(buf);
	return -(int)n;
}

int env_real_read_file(const char *path, size_t max, uint8_t **data, size_t *len) {
	size_t size = 0;
	int fd = open_regular(path, &size);
	int rc;

	if (fd < 0)
		return fd;
	rc = read_all(fd, size, max, data, len);
	close(fd);
	return rc;
}
