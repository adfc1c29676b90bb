/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/reload.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/startup.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/strv.h"
#include "grpc/tls.h"
#include "text/value.h"

void reload_done(struct reload *reload)
{
    config_done(&reload->config);
    tls_context_unref(reload->tls);
    free(reload->kept);
    *reload = RELOAD_NULL;
}

int reload_certificates(const struct config *config, bool root_is_nobody, struct tls_context **ret,
                        struct error *err)
{
    const struct tls_server_options options = {
        .cert = config->tls_cert,
        .key = config->tls_key,
        .key_passphrase_file = config->tls_key_passphrase_file,
        .client_ca = config->tls_client_ca,
        .crl = config->tls_crl,
        .strict = config->tls_strict,
        .root_is_nobody = root_is_nobody,
    };

    return tls_context_new_server(&options, ret, err);
}

/* ---- what stays ---- */

/* hoistd's view of the file system was made for the files that it had then. */
static bool names_other_files(const struct config *config, const struct config *old)
{
    return !text_equal(config->tls_cert, old->tls_cert) ||
           !text_equal(config->tls_key, old->tls_key) ||
           !text_equal(config->tls_key_passphrase_file, old->tls_key_passphrase_file) ||
           !text_equal(config->tls_client_ca, old->tls_client_ca) ||
           !text_equal(config->tls_crl, old->tls_crl);
}

static int copy_value(const struct setting *setting, struct config *to, const struct config *from)
{
    void *value = (char *)to + setting->offset;
    const void *old = (const char *)from + setting->offset;
    char *text;

    if (setting->parse == text_parse_unsigned) {
        *(uint64_t *)value = *(const uint64_t *)old;
    } else if (setting->parse == text_parse_path) {
        text = strdup(*(char *const *)old);
        if (!text)
            return -ENOMEM;
        free(*(char **)value);
        *(char **)value = text;
    } else {
        assert(setting->offset == offsetof(struct config, listen));
        to->listen = from->listen;
    }
    return 0;
}

static int keep_setting(size_t at, struct config *config, const struct config *old,
                        struct buffer *kept)
{
    _cleanup_buffer_ struct buffer was = {0}, is = {0};
    int r = config_print_value(old, at, &was);

    if (r == 0)
        r = config_print_value(config, at, &is);
    if (r < 0)
        return r;
    if (buffer_size(&was) == buffer_size(&is) &&
        memcmp(buffer_bytes(&was), buffer_bytes(&is), buffer_size(&is)) == 0)
        return 0;
    r = buffer_append_format(kept, "%s%s", buffer_size(kept) > 0 ? ", " : "", settings[at].key);
    return r < 0 ? r : copy_value(&settings[at], config, old);
}

static int keep_settings(struct config *config, const struct config *old, char **ret_kept)
{
    _cleanup_buffer_ struct buffer kept = {0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < settings_count; i++)
        if (settings[i].at_start)
            r = keep_setting(i, config, old, &kept);
    if (r < 0)
        return r;
    *ret_kept = buffer_size(&kept) > 0
                    ? strndup((const char *)buffer_bytes(&kept), buffer_size(&kept))
                    : strdup("");
    return *ret_kept ? 0 : -ENOMEM;
}

int reload_read(int argc, char **argv, const struct agent *agent, struct reload *ret,
                struct error *err)
{
    _cleanup_reload_ struct reload reload = RELOAD_NULL;
    const struct config *old = &agent->config;
    enum config_request request;
    int r = config_load(argc, argv, &reload.config, &request, err);

    if (r == 0 && old->file && !reload.config.file)
        r = error_set(err, -ENOENT, "%s is gone", old->file);
    if (r == 0)
        r = config_check(&reload.config, err);
    if (r == 0)
        r = startup_check_profiles(&reload.config.classes, &agent->launcher, err);
    if (r < 0)
        return r;
    if (keep_settings(&reload.config, old, &reload.kept) < 0)
        return error_set(err, -ENOMEM, "no memory for the configuration");
    r = reload_certificates(&reload.config, agent->own_root, &reload.tls, err);
    if (r < 0 && err && names_other_files(&reload.config, old))
        r = error_prefix(err, "hoistd sees the directories that its files were in at its start; "
                              "for others restart it");
    if (r < 0)
        return r;
    *ret = reload;
    reload = RELOAD_NULL;
    return 0;
}
