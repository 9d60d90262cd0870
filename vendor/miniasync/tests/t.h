/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * t.h -- what every C test needs: checks, cases, children, gates, bytes
 *
 * A program lists its cases with T_MAIN; each runs under a watchdog that names
 * it if it hangs. A failed check prints file, line and expression and ends the
 * process with 1 from whichever thread it is in. Include this file first.
 */

#ifndef T_H
#define T_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_feature)
#define T_HAS_FEATURE_(x_) __has_feature(x_)
#else
#define T_HAS_FEATURE_(x_) 0
#endif
#if defined(__SANITIZE_THREAD__) || T_HAS_FEATURE_(thread_sanitizer)
#define T_TSAN 1
#else
#define T_TSAN 0
#endif

/*
 * T_SLOW: programs take many times as long as they should. A case then has more
 * time, and tests of very many sizes do with fewer. Also to be given to the
 * compiler where it cannot know: for emulators and unoptimised builds, and as
 * T_SLOW=2 for valgrind, where there is little time for large operations.
 */
#ifdef T_SLOW
#define T_CASE_SECONDS 1000
#else
#define T_CASE_SECONDS 50
#if T_TSAN || defined(__SANITIZE_ADDRESS__) || T_HAS_FEATURE_(address_sanitizer)
#define T_SLOW 1
#else
#define T_SLOW 0
#endif
#endif
#ifdef T_EMULATOR /* from the build: what runs programs of this processor */
#define T_EMULATED 1
#define T_EXEC(program_, ...) execlp(T_EMULATOR, program_, __VA_ARGS__)
#else
#define T_EMULATED 0
/* Becomes a test program, with arguments up to a NULL. */
#define T_EXEC(program_, ...) execl(program_, program_, __VA_ARGS__)
#endif
#define T_MS UINT64_C(1000000)
#define T_SECOND (1000 * T_MS)
#define T_COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))

static const char *t_case_name_ = "start";
static int t_finished_;

/* _exit: other threads may be anywhere, so nothing is run at exit. */
static inline void
t_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s: %s\n", file, line, t_case_name_, what);
	fflush(NULL);
	_exit(1);
}

#define CHECK(x_) ((x_) ? (void)0 : t_fail(__FILE__, __LINE__, #x_))

static inline void
t_check_int(const char *file, int line, const char *what, intmax_t got,
	intmax_t expected)
{
	char text[256];

	if (got == expected)
		return;
	snprintf(text, sizeof(text), "%s is %jd, expected %jd", what, got,
		expected);
	t_fail(file, line, text);
}

/* For integers: prints both sides. */
#define CHECK_INT(got_, expected_)                                             \
	t_check_int(__FILE__, __LINE__, #got_, (intmax_t)(got_),               \
		(intmax_t)(expected_))

static inline void
t_skip(const char *why)
{
	printf("skipped: %s\n", why);
	t_finished_ = 1;
	exit(77);
}

/* CLOCK_MONOTONIC in nanoseconds, the clock of deadlines. */
static inline uint64_t
t_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * T_SECOND + (uint64_t)ts.tv_nsec;
}

/* Lets time pass where time is what is tested; never to synchronise. */
static inline void
t_pass_time(uint64_t ns)
{
	struct timespec ts;
	uint64_t end = t_now() + ns;

	ts.tv_sec = (time_t)(end / T_SECOND);
	ts.tv_nsec = (long)(end % T_SECOND);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) ==
		EINTR)
		;
}

/* Gates: a semaphore that one side posts and the other passes. */
static inline void
t_pass(sem_t *gate)
{
	while (sem_wait(gate) != 0)
		CHECK(errno == EINTR);
}

static inline void
t_open(sem_t *gate)
{
	CHECK(sem_post(gate) == 0);
}

static inline void
t_start(pthread_t *thread, void *(*body)(void *), void *arg)
{
	CHECK(pthread_create(thread, NULL, body, arg) == 0);
}

static inline void
t_join(pthread_t thread)
{
	CHECK(pthread_join(thread, NULL) == 0);
}

/* A small generator with the state in the caller's hands (xorshift64*). */
static inline uint64_t
t_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* Bytes that differ at neighbouring places, cache lines and pages. */
static inline void
t_fill(void *at, size_t n, uint64_t seed)
{
	unsigned char *bytes = (unsigned char *)at;
	uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	uint64_t word;

	for (; n >= sizeof(word); n -= sizeof(word), bytes += sizeof(word)) {
		word = t_random(&state);
		memcpy(bytes, &word, sizeof(word));
	}
	word = t_random(&state);
	memcpy(bytes, &word, n);
}

static inline void *
t_malloc(size_t n)
{
	void *p = malloc(n != 0 ? n : 1);

	CHECK(p != NULL);
	return p;
}

/* How a child ended. SIGALRM with its default action marks a hang. */
enum t_end { T_EXITED, T_KILLED, T_HUNG };

struct t_ending {
	enum t_end end;
	int code; /* exit status, or signal */
};

/* Runs body(arg) in a forked child that has `seconds` to finish, if not slow. */
static inline struct t_ending
t_in_child(void (*body)(void *), void *arg, unsigned seconds)
{
	struct t_ending ending = {T_EXITED, 0};
	sigset_t alarm_only;
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		signal(SIGALRM, SIG_DFL);
		sigemptyset(&alarm_only);
		sigaddset(&alarm_only, SIGALRM);
		pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
		alarm(T_SLOW ? 10 * seconds : seconds);
		body(arg);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) != pid)
		CHECK(errno == EINTR);
	if (WIFSIGNALED(status)) {
		ending.code = WTERMSIG(status);
		ending.end = ending.code == SIGALRM ? T_HUNG : T_KILLED;
	} else {
		ending.code = WEXITSTATUS(status);
	}
	return ending;
}

/*
 * Ends a child well without a look at its memory: what belonged to threads that
 * the fork left behind is lost, and a leak checker would say so.
 */
static inline void
t_end_child_unchecked(void)
{
	execlp("true", "true", (char *)NULL);
	t_fail(__FILE__, __LINE__, "no program called true");
}

/* The child has to end well, and in time. */
#define CHECK_CHILD(body_, arg_, seconds_)                                     \
	do {                                                                   \
		struct t_ending ending_ = t_in_child(body_, arg_, seconds_);   \
		if (ending_.end == T_HUNG)                                     \
			t_fail(__FILE__, __LINE__, #body_ " hung");            \
		if (ending_.end == T_KILLED)                                   \
			t_fail(__FILE__, __LINE__, #body_ " was killed");      \
		CHECK_INT(ending_.code, 0);                                    \
	} while (0)

struct t_case {
	const char *name;
	void (*run)(void);
};

#define T_CASE(fn_) {#fn_, fn_}

static inline void
t_on_alarm_(int sig)
{
	static const char text[] = "hangs: ";
	ssize_t ignored;

	(void)sig;
	ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
	ignored += write(STDERR_FILENO, t_case_name_, strlen(t_case_name_));
	ignored += write(STDERR_FILENO, "\n", 1);
	(void)ignored;
	_exit(1);
}

/* A library that calls exit(0) must not look like success. */
static inline void
t_on_exit_(void)
{
	if (!t_finished_)
		t_fail(__FILE__, __LINE__, "the process was made to exit");
}

/* Runs all cases, or those named on the command line. */
static inline int
t_run(const struct t_case *cases, size_t n, int argc, char *argv[])
{
	size_t ran = 0;

	signal(SIGALRM, t_on_alarm_);
	atexit(t_on_exit_);
	for (size_t i = 0; i < n; i++) {
		int wanted = argc < 2;

		for (int j = 1; j < argc; j++)
			wanted |= strcmp(argv[j], cases[i].name) == 0;
		if (!wanted)
			continue;
		t_case_name_ = cases[i].name;
		alarm(T_CASE_SECONDS);
		cases[i].run();
		alarm(0);
		ran++;
	}
	t_case_name_ = "end";
	CHECK(ran > 0);
	t_finished_ = 1;
	return 0;
}

#define T_MAIN(...)                                                            \
	int main(int argc, char *argv[])                                       \
	{                                                                      \
		static const struct t_case cases_[] = {__VA_ARGS__};           \
		return t_run(cases_, T_COUNT(cases_), argc, argv);             \
	}

#endif /* T_H */
