/* Signals as C libraries use them: sigaction, siglongjmp out of handlers, an alternate stack, timers, process groups. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile sig_atomic_t calls;

static void count(int number) { calls += number > 0; }

static void leave(int number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    printf("signal %d, code %d, vector %d, error %d\n", number, info->si_code,
           (int)registers[REG_TRAPNO], (int)registers[REG_ERR]);
    siglongjmp(back, 1);
}

static void tell(int number, siginfo_t *info, void *context) {
    printf("signal %d, code %d, value %d\n", number, info->si_code, info->si_value.sival_int);
}

static void act(int number, void *handler, int flags) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    if (sigaction(number, &action, NULL)) perror("sigaction");
}

static int descend(int depth) {
    volatile char page[4096];
    page[depth % 4096] = depth;
    return depth < 0 ? 0 : descend(depth + 1) + page[depth % 4096];
}

static void faults(void) {
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    if (sigaltstack(&stack, NULL)) perror("sigaltstack");
    act(SIGSEGV, leave, SA_SIGINFO | SA_ONSTACK);
    act(SIGFPE, leave, SA_SIGINFO);
    act(SIGILL, leave, SA_SIGINFO);
    for (int round = 0; round < 2; round++) {
        if (!sigsetjmp(back, 1)) *(volatile int *)0 = 1;
        if (!sigsetjmp(back, 1)) descend(0);
        if (!sigsetjmp(back, 1)) __asm__ volatile("ud2");
        if (!sigsetjmp(back, 1)) __asm__ volatile("xorl %%ecx, %%ecx; divl %%ecx" ::: "eax", "ecx", "edx");
    }
}

static void queues(void) {
    sigset_t all, before, pending;
    union sigval value;
    act(SIGRTMIN, tell, SA_SIGINFO);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    for (value.sival_int = 1; value.sival_int <= 3; value.sival_int++) sigqueue(getpid(), SIGRTMIN, value);
    sigpending(&pending);
    printf("waits: %d\n", sigismember(&pending, SIGRTMIN));
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void timers(void) {
    struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    act(SIGALRM, count, 0);
    setitimer(ITIMER_REAL, &soon, NULL);
    int result = pause();
    printf("pause %d, errno %d, %d call\n", result, errno, (int)calls);
    alarm(1);
    unsigned left = sleep(10);
    printf("sleep cut short: %d\n", left >= 8);
}

static void groups(void) {
    int status;
    siginfo_t info;
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        for (;;) pause();
    }
    setpgid(child, child);
    memset(&info, 0, sizeof info);
    kill(-child, SIGSTOP);
    waitid(P_PGID, child, &info, WSTOPPED);
    printf("stopped: code %d, status %d\n", info.si_code, info.si_status);
    kill(-child, SIGCONT);
    kill(-child, SIGTERM);
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    printf("ended: code %d, status %d\n", info.si_code, info.si_status);
    printf("waited for: %d, ", waitpid(-child, &status, 0) == child);
    printf("by signal %d\n", WTERMSIG(status));
    if (fork() == 0) _exit(setsid() == getpid() && getpgrp() == getpid() && getsid(0) == getpid());
    wait(&status);
    printf("a session of its own: %d\n", WEXITSTATUS(status));
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    faults();
    queues();
    timers();
    groups();
    return 6;
}
