/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"
#include "agent/doctor.h"
#include "base/clock.h"
#include "base/error.h"
#include "grpc/tls-dates.h"

#define USEC_PER_DAY (UINT64_C(86400) * USEC_PER_SEC)
#define DAYS_LEAST   14

#define RELOAD " && pkill -HUP -x hoist-launcher"

/* How long the file's contents are good for. Returns whether there is something to mend. */
static bool check_dates(struct check *check, enum tls_dated kind, const char *path)
{
    usec_t until, now = clock_wall();
    unsigned long long days;
    struct error err;

    if (tls_dates_read(kind, path, &until, &err) < 0) {
        check_say(check, CHECK_FAILED, "%s", err.text);
        return true;
    }
    if (until <= now) {
        check_say(check, CHECK_FAILED, "%s has expired", path);
        return true;
    }
    days = (until - now) / USEC_PER_DAY;
    check_say(check, days < DAYS_LEAST ? CHECK_WARNING : CHECK_OK, "%s: %llu days left", path,
              days);
    return days < DAYS_LEAST;
}

void check_certificate(const struct doctor_facts *facts, struct check *check)
{
    const struct config *config = facts->config;

    if (check_dates(check, TLS_DATED_CERTIFICATES, config->tls_cert))
        check_mend(check,
                   "hoist-pki issue DIR server --force --server --host $(hostname -f) && cp "
                   "DIR/server.pem %s && cp DIR/server.key %s" RELOAD,
                   config->tls_cert, config->tls_key);
}

void check_client_ca(const struct doctor_facts *facts, struct check *check)
{
    const char *path = facts->config->tls_client_ca;

    if (check_dates(check, TLS_DATED_CERTIFICATES, path))
        check_mend(check, "hoist-pki init DIR && cp DIR/client-ca.pem %s" RELOAD, path);
}

void check_revocations(const struct doctor_facts *facts, struct check *check)
{
    const char *path = facts->config->tls_crl;

    if (!path)
        check_say(check, CHECK_SKIPPED, "no tls.crl is configured: certificates can't be revoked");
    else if (check_dates(check, TLS_DATED_REVOCATIONS, path))
        check_mend(check, "cp NEW-LIST.pem %s" RELOAD, path);
}
