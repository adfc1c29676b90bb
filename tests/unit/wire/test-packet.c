/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fd.h"
#include "wire/packet.h"

#define ROOM 4096

struct pair {
    int ends[2];
    unsigned open_before;
};

static unsigned open_descriptors(void)
{
    DIR *list = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(list);
    while (readdir(list))
        count++;
    closedir(list);
    return count;
}

static int setup(void **state)
{
    static struct pair pair;
    struct error err;

    pair.open_before = open_descriptors();
    assert_int_equal(packet_pair(ROOM, pair.ends, &err), 0);
    *state = &pair;
    return 0;
}

/* Whatever a test did, no descriptor that was received stays open. */
static int teardown(void **state)
{
    struct pair *pair = *state;

    fd_close(pair->ends[0]);
    fd_close(pair->ends[1]);
    return open_descriptors() == pair->open_before ? 0 : -1;
}

/* Sends with as many copies of stdin's descriptor as told, past packet_send()'s own limit. */
static void send_raw(int fd, const void *data, size_t size, size_t fd_count)
{
    union {
        char bytes[CMSG_SPACE(253 * sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct iovec part = {.iov_base = (void *)data, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    int fds[253];

    for (size_t i = 0; i < fd_count; i++)
        fds[i] = fd;
    if (fd_count > 0) {
        control.align.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        control.align.cmsg_level = SOL_SOCKET;
        control.align.cmsg_type = SCM_RIGHTS;
        memcpy(CMSG_DATA(&control.align), fds, fd_count * sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
    }
    assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), size);
}

static void test_packet_receive_keeps_packets_apart(void **state)
{
    struct pair *pair = *state;
    struct packet_fds fds;
    char data[ROOM];
    struct error err;

    assert_int_equal(packet_send(pair->ends[0], "one", 3, NULL, 0, &err), 0);
    assert_int_equal(packet_send(pair->ends[0], "three", 5, NULL, 0, &err), 0);
    assert_int_equal(packet_receive(pair->ends[1], data, sizeof(data), &fds, &err), 3);
    assert_memory_equal(data, "one", 3);
    assert_int_equal(packet_receive(pair->ends[1], data, sizeof(data), &fds, &err), 5);
    assert_memory_equal(data, "three", 5);
    assert_int_equal(packet_receive(pair->ends[1], data, sizeof(data), &fds, &err), -EAGAIN);
}

static void test_packet_receive_takes_descriptors_in_order(void **state)
{
    struct pair *pair = *state;
    _cleanup_packet_fds_ struct packet_fds fds = PACKET_FDS_NULL;
    int pipe_ends[2];
    char data[ROOM], byte;
    struct error err;

    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    assert_int_equal(packet_send(pair->ends[0], "x", 1, pipe_ends, 2, &err), 0);
    fd_close(pipe_ends[0]);
    fd_close(pipe_ends[1]);
    assert_int_equal(packet_receive(pair->ends[1], data, sizeof(data), &fds, &err), 1);
    assert_int_equal(fds.count, 2);
    assert_int_equal(fcntl(fds.fd[0], F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(fds.fd[1], "y", 1), 1);
    assert_int_equal(read(fds.fd[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
}

static void test_packet_receive_refuses_more_descriptors_than_fit(void **state)
{
    static const size_t counts[] = {PACKET_FDS_MAX + 1, 100, 253};
    struct pair *pair = *state;
    struct packet_fds fds;
    char data[ROOM];
    struct error err;

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        send_raw(pair->ends[0], "x", 1, counts[i]);
        assert_int_equal(packet_receive(pair->ends[1], data, sizeof(data), &fds, &err), -EPROTO);
    }
    send_raw(pair->ends[0], "x", 1, PACKET_FDS_MAX);
    assert_int_equal(packet_receive(pair->ends[1], data, sizeof(data), &fds, &err), 1);
    assert_int_equal(fds.count, PACKET_FDS_MAX);
    packet_fds_done(&fds);
}

static void test_packet_receive_refuses_a_long_packet_and_its_descriptors(void **state)
{
    struct pair *pair = *state;
    struct packet_fds fds;
    char data[ROOM] = {0};
    struct error err;

    send_raw(pair->ends[0], data, 17, 2);
    assert_int_equal(packet_receive(pair->ends[1], data, 16, &fds, &err), -EPROTO);
    assert_string_equal(err.text, "a packet is longer than 16 bytes");
}

static void test_packet_receive_refuses_credentials(void **state)
{
    struct pair *pair = *state;
    struct packet_fds fds;
    const int on = 1;
    char data[ROOM];
    struct error err;

    assert_int_equal(setsockopt(pair->ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
    assert_int_equal(packet_send(pair->ends[0], "x", 1, NULL, 0, &err), 0);
    assert_int_equal(packet_receive(pair->ends[1], data, sizeof(data), &fds, &err), -EPROTO);
}

static void test_packet_receive_takes_an_empty_packet_for_the_end(void **state)
{
    struct pair *pair = *state;
    struct packet_fds fds;
    char data[ROOM];
    struct error err;

    send_raw(pair->ends[0], "", 0, 2);
    assert_int_equal(packet_receive(pair->ends[1], data, sizeof(data), &fds, &err), 0);
    assert_int_equal(fds.count, 0);
}

static void test_packet_receive_hears_what_came_before_the_end(void **state)
{
    struct pair *pair = *state;
    struct packet_fds fds;
    char data[ROOM];
    struct error err;

    /* Something unread on the other side makes the close a reset. */
    assert_int_equal(packet_send(pair->ends[1], "unread", 6, NULL, 0, &err), 0);
    assert_int_equal(packet_send(pair->ends[0], "last", 4, NULL, 0, &err), 0);
    pair->ends[0] = fd_close(pair->ends[0]);
    assert_int_equal(packet_receive(pair->ends[1], data, sizeof(data), &fds, &err), 4);
    assert_int_equal(packet_receive(pair->ends[1], data, sizeof(data), &fds, &err), 0);
    assert_int_equal(packet_send(pair->ends[1], "x", 1, NULL, 0, &err), -EPIPE);
}

static void test_packet_send_does_not_wait_for_room(void **state)
{
    struct pair *pair = *state;
    char data[ROOM] = {0};
    struct error err;
    int r;

    do {
        r = packet_send(pair->ends[0], data, sizeof(data), NULL, 0, &err);
    } while (r == 0);
    assert_int_equal(r, -EAGAIN);
}

static void test_packet_pair_takes_a_packet_of_the_size_asked_for(void **state)
{
    struct pair *unused = *state;
    size_t size = 160 * 1024;
    char *data = calloc(1, size);
    struct packet_fds fds;
    struct error err;
    int ends[2];

    (void)unused;
    assert_non_null(data);
    assert_int_equal(packet_pair(size, ends, &err), 0);
    assert_int_equal(packet_send(ends[0], data, size, NULL, 0, &err), 0);
    assert_int_equal(packet_receive(ends[1], data, size, &fds, &err), size);
    fd_close(ends[0]);
    fd_close(ends[1]);
    free(data);
}

static void test_packet_pair_says_when_the_kernel_has_no_such_room(void **state)
{
    struct pair *unused = *state;
    struct error err;
    int ends[2];

    (void)unused;
    assert_int_equal(packet_pair(1 << 30, ends, &err), -ENOBUFS);
    assert_non_null(strstr(err.text, "net.core.wmem_max"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packet_receive_keeps_packets_apart),
        cmocka_unit_test(test_packet_receive_takes_descriptors_in_order),
        cmocka_unit_test(test_packet_receive_refuses_more_descriptors_than_fit),
        cmocka_unit_test(test_packet_receive_refuses_a_long_packet_and_its_descriptors),
        cmocka_unit_test(test_packet_receive_refuses_credentials),
        cmocka_unit_test(test_packet_receive_takes_an_empty_packet_for_the_end),
        cmocka_unit_test(test_packet_receive_hears_what_came_before_the_end),
        cmocka_unit_test(test_packet_send_does_not_wait_for_room),
        cmocka_unit_test(test_packet_pair_takes_a_packet_of_the_size_asked_for),
        cmocka_unit_test(test_packet_pair_says_when_the_kernel_has_no_such_room),
    };
    struct CMUnitTest with_pair[sizeof(tests) / sizeof(tests[0])];

    memcpy(with_pair, tests, sizeof(tests));
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        with_pair[i].setup_func = setup;
        with_pair[i].teardown_func = teardown;
    }
    return cmocka_run_group_tests(with_pair, NULL, NULL);
}
