/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "attempt.h"
#include "probe.h"

static void name_for(const char *prefix, const char *where, char name[PLANT_NAME_MAX])
{
    size_t size = (size_t)snprintf(name, PLANT_NAME_MAX, "%sprobe%.70s", prefix, where);

    for (size_t i = strlen(prefix); i < size && name[i]; i++) {
        name[i] = name[i] == '/' ? '-' : name[i];
    }
}

void plant_shm_name(const char *where, char name[PLANT_NAME_MAX])
{
    name_for("/dev/shm/", where, name);
}

void plant_abstract_name(const char *where, char name[PLANT_NAME_MAX])
{
    name_for("", where, name);
}

static void must(long result, const char *what)
{
    if (result < 0) {
        fail(what);
    }
}

static void plant_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

    must(fd, path);
    must(write(fd, "secret", 6), path);
    close(fd);
}

static void listen_as(const struct sockaddr_un *address, socklen_t size)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    must(fd, "socket");
    must(bind(fd, (const struct sockaddr *)address, size), "bind");
    must(listen(fd, 1), "listen");
}

static void plant_sockets(const char *where)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX}, abstract = {.sun_family = AF_UNIX};
    char name[PLANT_NAME_MAX];

    snprintf(path.sun_path, sizeof(path.sun_path), "%.90s/socket", where);
    listen_as(&path, sizeof(path));
    plant_abstract_name(where, name);
    memcpy(abstract.sun_path + 1, name, strlen(name));
    listen_as(&abstract, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)));
}

static unsigned plant_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof(address);

    must(fd, "socket");
    must(bind(fd, (const struct sockaddr *)&address, size), "bind");
    must(listen(fd, 1), "listen");
    must(getsockname(fd, (struct sockaddr *)&address, &size), "getsockname");
    return ntohs(address.sin_port);
}

void plant(const char *where)
{
    char name[PLANT_NAME_MAX], path[4096];

    umask(0);
    snprintf(path, sizeof(path), "%s/file", where);
    plant_file(path);
    snprintf(path, sizeof(path), "%s/fifo", where);
    must(mkfifo(path, 0666), path);
    must(open(path, O_RDWR | O_CLOEXEC), path); /* a reader, so that a writer doesn't fail */
    plant_shm_name(where, name);
    plant_file(name);
    plant_sockets(where);
    dprintf(STDOUT_FILENO, "planted %d %u\n", getpid(), plant_port());
}

void plant_ipc(const char *unused)
{
    (void)unused;
    must(shmget(PLANT_KEY, 4096, IPC_CREAT | 0666), "shmget");
    must(msgget(PLANT_KEY, IPC_CREAT | 0666), "msgget");
    must(semget(PLANT_KEY, 1, IPC_CREAT | 0666), "semget");
    must((long)mq_open(PLANT_QUEUE, O_CREAT | O_RDWR, 0666, NULL), "mq_open");
}
