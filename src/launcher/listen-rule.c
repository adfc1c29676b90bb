/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/listen-rule.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/quantity.h"
#include "base/strv.h"

static uint16_t address_port(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

static bool address_is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET6)
        return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                      &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
    return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
           ((const struct sockaddr_in *)b)->sin_addr.s_addr;
}

int listen_address_parse(const char *host, uint16_t port, struct sockaddr_storage *ret,
                         socklen_t *ret_size, struct error *err)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};

    *ret = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    if (inet_pton(AF_INET, host, &four.sin_addr) == 1) {
        memcpy(ret, &four, sizeof(four));
        *ret_size = sizeof(four);
        return 0;
    }
    if (inet_pton(AF_INET6, host, &six.sin6_addr) == 1) {
        memcpy(ret, &six, sizeof(six));
        *ret_size = sizeof(six);
        return 0;
    }
    return error_set(err, -EINVAL,
                     "\"%s\" is no numeric address; give one like 127.0.0.1, ::1 or 0.0.0.0", host);
}

/* Cuts "[::1]:7443" and "127.0.0.1:7443" at the right colon, and the brackets off. */
static int rule_split(const char *text, char host[static INET6_ADDRSTRLEN], const char **ret_port,
                      struct error *err)
{
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;

    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    }
    if (length == 0 || length >= INET6_ADDRSTRLEN)
        return error_set(err, -EINVAL,
                         "\"%s\" isn't ADDRESS:PORT; examples: 127.0.0.1:7443, [::1]:7443, *:7443",
                         text);
    memcpy(host, text, length);
    host[length] = 0;
    *ret_port = colon + 1;
    return 0;
}

int listen_rule_parse(const char *text, struct listen_rule *ret, struct error *err)
{
    struct listen_rule rule = {.address = {.ss_family = AF_UNSPEC}};
    char host[INET6_ADDRSTRLEN];
    const char *port_text = "";
    uint64_t port = 0;
    socklen_t size;
    int r = rule_split(text, host, &port_text, err);

    if (r < 0)
        return r;
    if (!text_equal(port_text, "*")) {
        r = quantity_parse_unsigned(port_text, UINT16_MAX, &port, err);
        if (r < 0)
            return r;
        if (port == 0)
            return error_set(err, -EINVAL, "port 0 can't be allowed; for any port write *");
    }
    if (!text_equal(host, "*")) {
        r = listen_address_parse(host, (uint16_t)port, &rule.address, &size, err);
        if (r < 0)
            return r;
    }
    rule.port = (uint16_t)port;
    *ret = rule;
    return 0;
}

int listen_rules_check(const struct listen_rule *rules, size_t count,
                       const struct sockaddr_storage *address, struct error *err)
{
    uint16_t port = address_port(address);

    for (size_t i = 0; i < count; i++)
        if ((rules[i].address.ss_family == AF_UNSPEC ||
             address_is_same(&rules[i].address, address)) &&
            (rules[i].port == 0 || rules[i].port == port))
            return 0;
    if (count > 0)
        return error_set(err, -EACCES,
                         "no listen_allow line of launcher.conf allows this address with port %u",
                         port);
    if (port > 0 && port < LISTEN_PORT_PRIVILEGED)
        return error_set(err, -EACCES,
                         "port %u is below %d: allow it by a line listen_allow = ADDRESS:%u in "
                         "launcher.conf",
                         port, LISTEN_PORT_PRIVILEGED, port);
    return 0;
}
