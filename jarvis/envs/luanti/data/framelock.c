/* Makes an unmodified game that draws with OpenGL on X play one frame at a time, on a clock of our own.
 *
 *     cc -O2 -shared -fPIC -o framelock.so framelock.c -ldl -lpthread
 *     JARVIS_FRAMELOCK=MEMORY:READY:GO:TICK_NANOSECONDS LD_PRELOAD=./framelock.so GAME        (numbers of inherited fds)
 *
 * A frame ends in glXSwapBuffers. There the picture is read into MEMORY, the game's other threads get the time that
 * they need, one byte goes out on READY and one is awaited from GO, and the main thread's clock moves on by one tick.
 * Only the main thread has that clock: with all clocks stopped, threads that wait for a time-out never wake up.
 *
 * The game's server is a thread named "Server" that sleeps in sem_timedwait until packets come; what is seen of the
 * map is made by one named "MeshUpdate" that sleeps in sem_wait. Both are let in once a frame, after the picture, and the
 * frame ends when they have had their turn and every other thread sleeps (or the patience is over: `restless` counts
 * those frames). Work that takes long, like new terrain, so takes no game time, and who is faster on a given day
 * decides nothing.
 *
 * The colour of pixels is RGB, 8 bits each, rows from the bottom up. If GO is closed, the game ends.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PIXELS_AT 4096      /* bytes of header before them */
#define NUM_CLOCKS 12
#define PIECE_NS 1000000    /* the server looks up this often while it may run */
#define LOOK_NS 30000       /* between two looks at the threads, at first */
#define LONGEST_NS 2000000  /* and later */
#define LOST_US 50000       /* a datagram that is not received for so long while all sleep never will be */

struct header {             /* as jarvis/envs/luanti/link.py reads it */
    int64_t frames;         /* ended so far */
    int64_t patience_us;    /* set by the player: how long other threads may take in a frame */
    int64_t waited_us;      /* how long they took in the last one */
    int64_t restless;       /* frames that ended while one of them was still at work */
    int32_t width, height;  /* of the picture, as the game has set its viewport */
    int32_t cursor_shown;   /* the game shows the mouse cursor: a screen is open */
    int32_t server_seen;
};

static struct header *header;
static int memory_fd = -1, ready_fd = -1, go_fd = -1;
static size_t memory_size;
static int64_t tick_ns;
static struct timespec begun[NUM_CLOCKS];   /* the real clocks when the library was loaded */
static _Atomic int64_t elapsed_ns;          /* on the main thread's clock since then */

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_sem_wait)(sem_t *);
static int (*real_sem_timedwait)(sem_t *, const struct timespec *);
static int (*real_bind)(int, const struct sockaddr *, socklen_t);
static ssize_t (*real_sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
static ssize_t (*real_recvfrom)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
static void (*real_swap)(void *, unsigned long);
static int (*real_define_cursor)(void *, unsigned long, unsigned long);
static int (*real_undefine_cursor)(void *, unsigned long);

static pthread_mutex_t door = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static int door_open = 1;                   /* whether server and meshes may run; guarded by `door` */
static _Atomic int server_due, server_waits;
static _Atomic int underway;                /* datagrams sent and not yet received */

static int is_main(void)
{
    static __thread int known;
    if (!known)
        known = syscall(SYS_gettid) == getpid() ? 1 : 2;
    return known == 1;
}

/* Which of the game's threads this is, by its name. */
static int is_called(const char *wanted)
{
    static __thread char name[32];
    if (!name[0])
        pthread_getname_np(pthread_self(), name, sizeof name);
    return strcmp(name, wanted) == 0;
}

__attribute__((constructor)) static void load(void)
{
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    real_sem_wait = dlsym(RTLD_NEXT, "sem_wait");
    real_sem_timedwait = dlsym(RTLD_NEXT, "sem_timedwait");
    real_bind = dlsym(RTLD_NEXT, "bind");
    real_sendto = dlsym(RTLD_NEXT, "sendto");
    real_recvfrom = dlsym(RTLD_NEXT, "recvfrom");
    real_swap = dlsym(RTLD_NEXT, "glXSwapBuffers");
    real_define_cursor = dlsym(RTLD_NEXT, "XDefineCursor");
    real_undefine_cursor = dlsym(RTLD_NEXT, "XUndefineCursor");
    const char *told = getenv("JARVIS_FRAMELOCK");
    long long nanoseconds;
    if (!told || sscanf(told, "%d:%d:%d:%lld", &memory_fd, &ready_fd, &go_fd, &nanoseconds) != 4)
        return;
    struct stat about;
    if (fstat(memory_fd, &about) || about.st_size < PIXELS_AT)
        return;
    memory_size = (size_t)about.st_size;
    void *memory = mmap(NULL, memory_size, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    if (memory == MAP_FAILED)
        return;
    for (int clock = 0; clock < NUM_CLOCKS; clock++)
        real_clock_gettime(clock, &begun[clock]);
    tick_ns = nanoseconds;
    header = memory;
    unsetenv("LD_PRELOAD");    /* not for programs that the game starts */
}

/* -- the clock ---------------------------------------------------------------------------------------------------- */

int clock_gettime(clockid_t clock, struct timespec *at)
{
    if (!real_clock_gettime)
        real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    if (!header || !is_main() || clock < 0 || clock >= NUM_CLOCKS || clock == CLOCK_PROCESS_CPUTIME_ID ||
        clock == CLOCK_THREAD_CPUTIME_ID)
        return real_clock_gettime(clock, at);
    int64_t nanoseconds = begun[clock].tv_nsec + elapsed_ns;
    at->tv_sec = begun[clock].tv_sec + nanoseconds / 1000000000;
    at->tv_nsec = nanoseconds % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    (void)zone;
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return failed;
}

/* NOTE: seeds of random numbers come from here, so it is the same in every run, and for all threads. */
time_t time(time_t *at)
{
    struct timespec now;
    time_t seconds = 1600000000 + elapsed_ns / 1000000000;
    if (!header) {
        clock_gettime(CLOCK_REALTIME, &now);
        seconds = now.tv_sec;
    }
    if (at)
        *at = seconds;
    return seconds;
}

/* -- the other threads -------------------------------------------------------------------------------------------- */

static int64_t real_now_us(void)
{
    struct timespec now;
    real_clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void wait_at_door(void)
{
    pthread_mutex_lock(&door);
    while (!door_open)
        pthread_cond_wait(&opened, &door);
    pthread_mutex_unlock(&door);
}

int sem_wait(sem_t *semaphore)
{
    int failed = real_sem_wait(semaphore);
    if (header && is_called("MeshUpdate"))
        wait_at_door();
    return failed;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
    if (!header || !is_called("Server"))
        return real_sem_timedwait(semaphore, until);
    header->server_seen = 1;
    for (;;) {
        server_waits = 1;
        wait_at_door();
        server_waits = 0;
        if (sem_trywait(semaphore) == 0)
            return 0;
        if (server_due) {
            server_due = 0;
            errno = ETIMEDOUT;
            return -1;
        }
        struct timespec piece;
        real_clock_gettime(CLOCK_REALTIME, &piece);
        piece.tv_nsec += PIECE_NS;
        if (piece.tv_nsec >= 1000000000) {
            piece.tv_nsec -= 1000000000;
            piece.tv_sec++;
        }
        server_waits = 1;
        if (real_sem_timedwait(semaphore, &piece) == 0) {
            wait_at_door();
            server_waits = 0;
            return 0;
        }
    }
}

/* The client and the server are one process and talk by datagrams. A busy kernel delivers late, while all sleep.
 * The game draws the server's port at random; with the same seed everywhere, every game draws the same one, so it is
 * another one in truth. */
static in_port_t drawn_port, true_port;

int bind(int socket, const struct sockaddr *to, socklen_t size)
{
    const struct sockaddr_in *asked = (const struct sockaddr_in *)to;
    if (!header || to->sa_family != AF_INET || !asked->sin_port)
        return real_bind(socket, to, size);
    struct sockaddr_in free_one = *asked;
    socklen_t told = sizeof free_one;
    free_one.sin_port = 0;
    int failed = real_bind(socket, (struct sockaddr *)&free_one, sizeof free_one);
    if (!failed && getsockname(socket, (struct sockaddr *)&free_one, &told) == 0) {
        drawn_port = asked->sin_port;
        true_port = free_one.sin_port;
    }
    return failed;
}

ssize_t sendto(int socket, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t to_size)
{
    struct sockaddr_in other;
    if (to && drawn_port && to->sa_family == AF_INET && ((const struct sockaddr_in *)to)->sin_port == drawn_port) {
        other = *(const struct sockaddr_in *)to;
        other.sin_port = true_port;
        to = (struct sockaddr *)&other;
    }
    ssize_t sent = real_sendto(socket, data, size, flags, to, to_size);
    if (sent >= 0)
        underway++;
    return sent;
}

ssize_t recvfrom(int socket, void *restrict data, size_t size, int flags, struct sockaddr *restrict from,
                 socklen_t *restrict from_size)
{
    ssize_t received = real_recvfrom(socket, data, size, flags, from, from_size);
    if (received < 0)
        return received;
    underway--;
    if (from && drawn_port && from->sa_family == AF_INET && ((struct sockaddr_in *)from)->sin_port == true_port)
        ((struct sockaddr_in *)from)->sin_port = drawn_port;
    return received;
}

static void set_door(int open)
{
    pthread_mutex_lock(&door);
    door_open = open;
    if (open) {
        server_due = header->server_seen;
        pthread_cond_broadcast(&opened);
    }
    pthread_mutex_unlock(&door);
}

/* Whether every thread but this one sleeps, and the server because it has nothing to do. */
static int all_sleep(void)
{
    if (header->server_seen && (server_due || !server_waits))
        return 0;
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        return 1;
    int asleep = 1;
    pid_t own = (pid_t)syscall(SYS_gettid);
    struct dirent *task;
    while (asleep && (task = readdir(tasks))) {
        if (task->d_name[0] == '.' || atoi(task->d_name) == own)
            continue;
        char path[64], stat[512];
        snprintf(path, sizeof path, "/proc/self/task/%.20s/stat", task->d_name);
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0)
            continue;
        ssize_t size = read(file, stat, sizeof stat - 1);
        close(file);
        stat[size > 0 ? size : 0] = 0;
        const char *state = strrchr(stat, ')');
        if (state && (state[2] == 'R' || state[2] == 'D'))
            asleep = 0;
    }
    closedir(tasks);
    return asleep;
}

/* Returns when every other thread sleeps and no datagram is underway, or at `until`. */
static void settle(int64_t until)
{
    const int64_t since = real_now_us();
    int64_t now = since, awake = now;
    int asleep = 0;
    for (;;) {
        int sleeping = all_sleep();
        if (!sleeping)
            awake = now;
        else if (underway && now - awake > LOST_US)
            underway = 0;
        asleep = sleeping && !underway ? asleep + 1 : 0;
        if (asleep == 2)
            return;
        if (now > until) {
            header->restless++;
            return;
        }
        /* Looking costs time that the others need where processors are scarce: an eighth of the wait so far, at most. */
        int64_t pause = (now - since) * 125;
        struct timespec look = {0, pause < LOOK_NS ? LOOK_NS : pause > LONGEST_NS ? LONGEST_NS : pause};
        nanosleep(&look, NULL);
        now = real_now_us();
    }
}

static void let_others_work(void)
{
    int64_t since = real_now_us();
    settle(since + header->patience_us);    /* what the client sent is there before the server's turn begins */
    set_door(1);
    settle(since + header->patience_us);
    set_door(0);
    header->waited_us = real_now_us() - since;
}

/* -- the frame ---------------------------------------------------------------------------------------------------- */

#define GL_VIEWPORT 0x0BA2
#define GL_PACK_ALIGNMENT 0x0D05
#define GL_UNSIGNED_BYTE 0x1401
#define GL_RGB 0x1907

static void read_picture(void)
{
    static void (*get_integers)(unsigned, int *), (*store)(unsigned, int);
    static void (*read_pixels)(int, int, int, int, unsigned, unsigned, void *);
    if (!read_pixels) {
        get_integers = dlsym(RTLD_DEFAULT, "glGetIntegerv");
        store = dlsym(RTLD_DEFAULT, "glPixelStorei");
        read_pixels = dlsym(RTLD_DEFAULT, "glReadPixels");
    }
    if (!read_pixels || !get_integers || !store)
        return;
    int view[4] = {0, 0, 0, 0};
    get_integers(GL_VIEWPORT, view);
    if (view[2] <= 0 || view[3] <= 0 || PIXELS_AT + (size_t)view[2] * (size_t)view[3] * 3 > memory_size)
        return;
    store(GL_PACK_ALIGNMENT, 1);
    read_pixels(0, 0, view[2], view[3], GL_RGB, GL_UNSIGNED_BYTE, (char *)header + PIXELS_AT);
    header->width = view[2];
    header->height = view[3];
}

void glXSwapBuffers(void *display, unsigned long drawable)
{
    if (!header || !is_main()) {
        if (real_swap)
            real_swap(display, drawable);
        return;
    }
    read_picture();
    if (real_swap)
        real_swap(display, drawable);
    let_others_work();
    header->frames++;
    char byte = 1;
    ssize_t moved;
    while ((moved = write(ready_fd, &byte, 1)) < 0 && errno == EINTR)
        ;
    if (moved == 1)
        while ((moved = read(go_fd, &byte, 1)) < 0 && errno == EINTR)
            ;
    if (moved != 1)
        _exit(0);
    elapsed_ns += tick_ns;
}

/* -- the mouse cursor ---------------------------------------------------------------------------------------------- */

/* The game hides the cursor by an invisible one while the mouse turns the camera. */
int XDefineCursor(void *display, unsigned long window, unsigned long cursor)
{
    if (header)
        header->cursor_shown = 0;
    return real_define_cursor ? real_define_cursor(display, window, cursor) : 0;
}

int XUndefineCursor(void *display, unsigned long window)
{
    if (header)
        header->cursor_shown = 1;
    return real_undefine_cursor ? real_undefine_cursor(display, window) : 0;
}
