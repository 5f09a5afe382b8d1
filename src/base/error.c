/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/error.c - one line to standard error, without allocating.
 *
 * The only text the library ever writes on its own: a malformed option, a
 * leak at kmem_cache_destroy, and the last words before an abort.
 */
#include "base/base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN_MAX 100u /* of a string that somebody else wrote */

struct writer {
	char *buf;
	size_t size, len;
	bool tame; /* strings come from outside: one line stays one line */
};

static void
put_char(struct writer *w, char c)
{
	if (w->len + 1 < w->size)
		w->buf[w->len++] = c;
}

static void
put_string(struct writer *w, const char *s)
{
	if (s == NULL)
		s = "(null)";
	while (*s != '\0')
		put_char(w, *s++);
}

/* As much as is needed to know it again, in characters that show. */
static void
put_tamed(struct writer *w, const char *s)
{
	size_t n, i;

	if (s == NULL)
		s = "(null)";
	n = strlen(s);
	for (i = 0; i < ns_min(n, SHOWN_MAX); i++)
		put_char(w, (unsigned char)s[i] < ' ' || s[i] == 0x7f ? '?'
								      : s[i]);
	if (n > SHOWN_MAX)
		put_string(w, "...");
}

static void
put_number(struct writer *w, uint64_t n, unsigned base)
{
	char digits[24];
	size_t i = sizeof(digits);

	do {
		digits[--i] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n != 0);
	while (i < sizeof(digits))
		put_char(w, digits[i++]);
}

static void
put_signed(struct writer *w, int64_t n)
{
	if (n < 0) {
		put_char(w, '-');
		put_number(w, (uint64_t)0 - (uint64_t)n, 10);
	} else {
		put_number(w, (uint64_t)n, 10);
	}
}

static void
put_format(struct writer *w, const char *fmt, va_list ap)
{
	bool is_long;

	for (; *fmt != '\0'; fmt++) {
		if (*fmt != '%') {
			put_char(w, *fmt);
			continue;
		}
		is_long = false;
		while (fmt[1] == 'l' || fmt[1] == 'z') {
			is_long = true;
			fmt++;
		}
		switch (*++fmt) {
		case 's':
			(w->tame ? put_tamed
				 : put_string)(w, va_arg(ap, const char *));
			break;
		case 'c':
			put_char(w, (char)va_arg(ap, int));
			break;
		case 'd':
			put_signed(w, is_long ? va_arg(ap, long)
					      : va_arg(ap, int));
			break;
		case 'u':
		case 'x':
			put_number(w,
				   is_long ? va_arg(ap, unsigned long)
					   : va_arg(ap, unsigned),
				   *fmt == 'u' ? 10 : 16);
			break;
		case 'p':
			put_string(w, "0x");
			put_number(w, (uintptr_t)va_arg(ap, void *), 16);
			break;
		default:
			put_char(w, *fmt);
			if (*fmt == '\0')
				return;
		}
	}
}

static void
write_line(const char *fmt, va_list ap)
{
	char buf[512];
	struct writer w = { buf, sizeof(buf) - 1, 0, true };
	int saved = errno;
	ssize_t n;

	put_string(&w, "numaslab: ");
	put_format(&w, fmt, ap);
	buf[w.len++] = '\n';
	do {
		n = write(STDERR_FILENO, buf, w.len);
	} while (n < 0 && errno == EINTR);
	errno = saved;
}

size_t
ns_format(char *buf, size_t size, const char *fmt, ...)
{
	struct writer w = { buf, size, 0, false };
	va_list ap;

	va_start(ap, fmt);
	put_format(&w, fmt, ap);
	va_end(ap);
	if (size > 0)
		buf[w.len] = '\0';
	return w.len;
}

void
ns_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(fmt, ap);
	va_end(ap);
}

void
ns_fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(fmt, ap);
	va_end(ap);
	abort();
}
