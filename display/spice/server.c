/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * VitrineSpiceServer: options checked, a thread started, the parts put together, and all of it let
 * go without anybody waiting.
 *
 * The GObject belongs to the default main context's thread. Behind it stands a VtSpice, which
 * belongs to the server's thread and outlives the object: the library may hold that thread for 30 s
 * while a viewer takes nothing. So stopping cuts what the two share (console, input hub, sockets)
 * under short locks, and leaves the rest to the thread.
 */
#include "server.h"

#include <dlfcn.h>
#include <unistd.h>

#include <spice/protocol.h>

#include "input.h"
#include "listen.h"
#include "peers.h"
#include "tls/tls.h"
#include "vt-display.h"

/* SPICE_MAX_PASSWORD_LENGTH is 60, of which the library keeps one for the NUL: it cuts a longer one
 * short without a word, and then refuses it. */
#define MAX_PASSWORD (SPICE_MAX_PASSWORD_LENGTH - 1)
/* How long viewers that were sent away may take to be noticed. */
#define PARTING_US (2 * G_USEC_PER_SEC)

typedef struct
{
  VtSpiceCore   *core;
  VtSpiceGuard  *guard;
  VtSpicePeers  *peers;
  VtSpiceScreen *screen;
  VtSpiceInput  *input;
  SpiceServer   *server; /* The server's thread only. */
  gint           n_clients; /* Atomic. */
  GWeakRef       object;
  VtFunc         gone;
  void          *gone_data;
} VtSpice;

struct _VitrineSpiceServer
{
  GObject         parent_instance;
  VitrineMachine *machine;
  VtSpice        *spice; /* NULL once stopped. */
  VtSpiceAddress  address;
  char           *name, *password, *cert_file, *ca_file;
  guint16         port, tls_port;
};

G_DEFINE_FINAL_TYPE (VitrineSpiceServer, vitrine_spice_server, G_TYPE_OBJECT)

enum
{
  PROP_PORT = 1,
  PROP_TLS_PORT,
  PROP_N_CLIENTS,
  N_PROPS,
};

/* The server's thread -------------------------------------------------------------------------- */

static gboolean
notify_cb (gpointer data)
{
  g_object_notify (data, "n-clients");
  return G_SOURCE_REMOVE;
}

static void
notify_clients (VtSpice *spice)
{
  VitrineSpiceServer *object = g_weak_ref_get (&spice->object);
  GSource            *source;

  if (!object)
    return;
  /* The reference is dropped over there too: the object is never disposed of on this thread. */
  source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, notify_cb, object, g_object_unref);
  g_source_attach (source, NULL);
  g_source_unref (source);
}

static void
peers_cb (void *data, int type, bool came)
{
  VtSpice *spice = data;
  unsigned n = vt_spice_peers_count (spice->peers, type);

  switch (type)
    {
    case SPICE_CHANNEL_MAIN:
      g_atomic_int_set (&spice->n_clients, (gint) n);
      notify_clients (spice);
      break;
    case SPICE_CHANNEL_DISPLAY:
      vt_spice_screen_set_viewers (spice->screen, n);
      break;
    case SPICE_CHANNEL_CURSOR:
      vt_spice_screen_set_cursors (spice->screen, n);
      break;
    case SPICE_CHANNEL_INPUTS:
      /* There is one viewer: one that comes ends what the one before held. */
      if (came || n == 0)
        vt_spice_input_release (spice->input);
      break;
    default:
      break;
    }
}

static void
event_cb (void *data, int event, SpiceChannelEventInfo *info)
{
  VtSpice *spice = data;

  vt_spice_peers_event (spice->peers, event, info);
}

static void
update_cb (void *data)
{
  VtSpice *spice = data;
  int      width, height;

  vt_spice_screen_size (spice->screen, &width, &height);
  vt_spice_input_set_size (spice->input, width, height);
  vt_spice_input_update (spice->input, vt_spice_screen_settled (spice->screen));
}

static bool
flows_cb (void *data)
{
  VtSpice *spice = data;

  return vt_spice_peers_flow (spice->peers, SPICE_CHANNEL_DISPLAY);
}

static const VtSpiceScreenOps screen_ops = { .settled = update_cb, .flows = flows_cb };

/* Where no password is set, none is asked for. */
static void
set_password (SpiceServer *server, const char *password)
{
  if (password)
    spice_server_set_ticket (server, password, 0, 0, 0);
  else
    spice_server_set_noauth (server);
}

typedef struct
{
  VtSpice    *spice;
  const char *name, *uuid, *password;
  int         plain_fd, tls_fd; /* Listening, or -1; taken over. */
  GError     *error;
} Start;

static SpiceServer *
server_new (const Start *start)
{
  SpiceServer *server = spice_server_new ();
  uint8_t      uuid[16];

  spice_server_set_name (server, start->name ? start->name : "Vitrine");
  if (start->uuid && g_uuid_string_is_valid (start->uuid))
    {
      unsigned n = 0;

      for (const char *p = start->uuid; *p && n < 16; p++)
        if (*p != '-')
          {
            uuid[n++] = (uint8_t) (g_ascii_xdigit_value (p[0]) << 4 | g_ascii_xdigit_value (p[1]));
            p++;
          }
      spice_server_set_uuid (server, uuid);
    }
  set_password (server, start->password);
  /* Measured: LZ4 costs a tenth of a core for full frames and 0.3 ms; video streams, 400 ms. */
  spice_server_set_image_compression (server, SPICE_IMAGE_COMPRESSION_LZ4);
  spice_server_set_jpeg_compression (server, SPICE_WAN_COMPRESSION_NEVER);
  spice_server_set_zlib_glz_compression (server, SPICE_WAN_COMPRESSION_NEVER);
  spice_server_set_streaming_video (server, SPICE_STREAM_VIDEO_OFF);
  spice_server_set_agent_mouse (server, 0);
  return server;
}

/* The library starts SASL, which loads all of its plugins, whether viewers are to log in by it or not: half a
 * MiB, and code that nobody asked for. So they are looked for where there are none. By name, since the
 * function's header is no part of the SPICE library's. */
static void
leave_out_sasl (void)
{
  enum { SASL_PATH_TYPE_PLUGIN = 0 };
  int (*set_path) (int type, char *path) = dlsym (RTLD_DEFAULT, "sasl_set_path");
  char nowhere[] = "/dev/null";

  if (set_path)
    set_path (SASL_PATH_TYPE_PLUGIN, nowhere);
}

static void
start_cb (void *data)
{
  Start       *start = data;
  VtSpice     *spice = start->spice;
  SpiceServer *server = server_new (start);

  leave_out_sasl ();
  /* Without a port of its own: we accept. */
  if (spice_server_init (server, vt_spice_core_interface ()) != 0)
    {
      spice_server_destroy (server);
      vt_set_error (&start->error, VITRINE_ERROR_FAILED,
                    "The SPICE library can't start; with VITRINE_TRACE=spice in the environment it tells why.");
      return;
    }
  spice->server = server;
  if (!vt_spice_screen_attach (spice->screen, server) ||
      !vt_spice_input_attach (spice->input, server))
    {
      vt_set_error (&start->error, VITRINE_ERROR_UNSUPPORTED,
                    "The SPICE library refuses our display or keyboard: version 0.15 is needed.");
      return;
    }
  update_cb (spice);
  spice_server_vm_start (server);
  if (start->plain_fd >= 0)
    {
      vt_spice_peers_open (spice->peers, server, start->plain_fd, false);
      start->plain_fd = -1;
    }
  if (start->tls_fd >= 0)
    {
      vt_spice_peers_open (spice->peers, server, start->tls_fd, true);
      start->tls_fd = -1;
    }
}

/* The thread's end. */
static void
finish_cb (void *data)
{
  VtSpice *spice = data;
  gint64   deadline = g_get_monotonic_time () + PARTING_US;

  /* Once more: somebody may have come in while the first cut was made. The library notices each,
   * and then has nothing left to wait for. */
  vt_spice_guard_cut (spice->guard);
  while (vt_spice_peers_total (spice->peers) > 0 && g_get_monotonic_time () < deadline)
    vt_spice_core_iterate (spice->core, deadline);
  if (spice->server)
    spice_server_destroy (spice->server);
  vt_spice_peers_free (spice->peers);
  vt_spice_guard_free (spice->guard);
  vt_spice_input_free (spice->input);
  vt_spice_screen_free (spice->screen);
  g_weak_ref_clear (&spice->object);
  if (spice->gone)
    spice->gone (spice->gone_data);
  g_free (spice);
}

typedef struct
{
  VtSpice *spice;
  char    *password;
} Password;

static void
password_cb (void *data)
{
  Password *change = data;

  set_password (change->spice->server, change->password);
  g_free (change->password);
  g_free (change);
}

/* The object's thread -------------------------------------------------------------------------- */

static bool
check_password (const VtSpiceAddress *address, const char *password, GError **error)
{
  if (!password)
    {
      if (address->loopback)
        return true;
      return vt_set_error (
          error, VITRINE_ERROR_INVALID,
          "Viewing from other computers (address %s) needs a password: set one, or "
          "listen on 127.0.0.1.",
          address->text);
    }
  if (strlen (password) > MAX_PASSWORD)
    return vt_set_error (
        error, VITRINE_ERROR_INVALID,
        "The password for remote viewing is longer than %d bytes, the most that SPICE "
        "takes: choose a shorter one.",
        MAX_PASSWORD);
  return true;
}

static const char *
empty_is_none (const char *text)
{
  return text && *text ? text : NULL;
}

static void
stop_spice (VtSpice *spice)
{
  vt_spice_screen_detach (spice->screen);
  vt_spice_input_detach (spice->input);
  vt_spice_peers_close (spice->peers);
  vt_spice_guard_cut (spice->guard);
  vt_spice_core_finish (spice->core, finish_cb, spice);
}

void
vt_spice_server_stop (VitrineSpiceServer *server)
{
  VtSpice *spice = g_steal_pointer (&server->spice);

  if (server->machine)
    {
      g_signal_handlers_disconnect_by_data (server->machine, server);
      g_clear_object (&server->machine);
    }
  if (!spice)
    return;
  stop_spice (spice);
  g_object_notify (G_OBJECT (server), "n-clients");
}

VitrineSpiceServer *
vt_spice_server_new (VtConsole *console, VtInput *input, const char *name, const char *uuid,
                     const VitrineSpiceOptions *options, GError **error)
{
  g_autoptr (VitrineSpiceServer) server = NULL;
  VtSpiceAddress address;
  VtSpiceGuard  *guard = NULL;
  VtSpice       *spice;
  bool           tls = options->tls || options->tls_port != 0;
  Start          start = {
    .name = name,
    .uuid = uuid,
    .password = empty_is_none (options->password),
    .plain_fd = -1,
    .tls_fd = -1,
  };

  if (!vt_spice_address_parse (empty_is_none (options->address), &address, error)
      || !check_password (&address, start.password, error))
    return NULL;
  if (tls && options->port != 0 && options->port == options->tls_port)
    {
      vt_set_error (error, VITRINE_ERROR_INVALID,
                    "Port %u can't serve with and without TLS: choose two ports, or leave one out.",
                    options->port);
      return NULL;
    }
  if (tls)
    {
      const VtTls *functions = vitrine_tls (error);

      if (!functions
          || !functions->check (options->cert_file, options->key_file, options->ca_file, error))
        return NULL;
    }

  server = g_object_new (VITRINE_TYPE_SPICE_SERVER, NULL);
  server->address = address;
  server->name = g_strdup (name);
  server->password = g_strdup (start.password);
  if (tls)
    {
      server->cert_file = g_strdup (options->cert_file);
      server->ca_file = g_strdup (options->ca_file ? options->ca_file : options->cert_file);
    }
  if ((!tls || options->port != 0)
      && (start.plain_fd = vt_spice_bind (&address, options->port, true, error)) < 0)
    goto fail;
  if (tls && (start.tls_fd = vt_spice_bind (&address, options->tls_port, true, error)) < 0)
    goto fail;
  server->port = start.plain_fd >= 0 ? vt_spice_bound_port (start.plain_fd) : 0;
  server->tls_port = start.tls_fd >= 0 ? vt_spice_bound_port (start.tls_fd) : 0;
  guard = vt_spice_guard_new (server->cert_file, options->key_file, error);
  if (!guard)
    goto fail;

  start.spice = spice = g_new0 (VtSpice, 1);
  g_weak_ref_init (&spice->object, server);
  spice->guard = guard;
  spice->core = vt_spice_core_new (event_cb, spice);
  spice->peers = vt_spice_peers_new (spice->core, guard, peers_cb, spice);
  spice->screen = vt_spice_screen_new (spice->core, console, &screen_ops, spice);
  spice->input = vt_spice_input_new (spice->core, input, update_cb, spice);
  vt_spice_core_call (spice->core, start_cb, &start);
  if (start.error)
    {
      stop_spice (spice);
      g_propagate_error (error, start.error);
      goto fail;
    }
  server->spice = spice;
  return g_steal_pointer (&server);

fail:
  if (start.plain_fd >= 0)
    close (start.plain_fd);
  if (start.tls_fd >= 0)
    close (start.tls_fd);
  return NULL;
}

static void
state_cb (VitrineMachine *machine, GParamSpec *pspec, VitrineSpiceServer *server)
{
  if (vitrine_machine_get_state (machine) == VITRINE_STATE_OFF)
    vt_spice_server_stop (server);
}

VitrineSpiceServer *
vitrine_spice_server_new (VitrineMachine *machine,
                          const VitrineSpiceOptions *options,
                          GError **error)
{
  VitrineConfig      *config = vitrine_machine_get_config (machine);
  VtConsole          *console = vt_display_console (machine, 0);
  VtInput            *input = vt_display_input (machine);
  VitrineSpiceServer *server;

  if (!console || !input)
    {
      vt_set_error (error, VITRINE_ERROR_STATE,
                    "The machine \"%s\" has no screen to view: start it first, with a display.",
                    vitrine_config_get_name (config));
      return NULL;
    }
  server = vt_spice_server_new (console, input, vitrine_config_get_name (config),
                                vitrine_config_get_uuid (config), options, error);
  if (!server)
    return NULL;
  server->machine = g_object_ref (machine);
  g_signal_connect (machine, "notify::state", G_CALLBACK (state_cb), server);
  return server;
}

void
vt_spice_server_on_gone (VitrineSpiceServer *server, VtFunc func, void *data)
{
  server->spice->gone = func;
  server->spice->gone_data = data;
}

VtSpiceScreen *
vt_spice_server_screen (VitrineSpiceServer *server)
{
  return server->spice ? server->spice->screen : NULL;
}

guint16
vitrine_spice_server_get_port (VitrineSpiceServer *server)
{
  return server->port;
}

guint16
vitrine_spice_server_get_tls_port (VitrineSpiceServer *server)
{
  return server->tls_port;
}

guint
vitrine_spice_server_get_n_clients (VitrineSpiceServer *server)
{
  return server->spice ? (guint) g_atomic_int_get (&server->spice->n_clients) : 0;
}

gboolean
vitrine_spice_server_set_password (VitrineSpiceServer *server, const char *password, GError **error)
{
  Password *change;

  password = empty_is_none (password);
  if (!check_password (&server->address, password, error))
    return FALSE;
  g_free (server->password);
  server->password = g_strdup (password);
  if (!server->spice)
    return TRUE;
  change = g_new0 (Password, 1);
  change->spice = server->spice;
  change->password = g_strdup (password);
  vt_spice_core_post (server->spice->core, password_cb, change);
  return TRUE;
}

char *
vitrine_spice_server_dup_vv (VitrineSpiceServer *server, const char *host)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autofree char *ca = NULL;
  g_autofree char *subject = NULL;
  const char      *group = "virt-viewer";

  if (!host)
    host = server->address.any ? g_get_host_name () : server->address.text;
  g_key_file_set_string (file, group, "type", "spice");
  g_key_file_set_string (file, group, "host", host);
  if (server->port)
    g_key_file_set_integer (file, group, "port", server->port);
  if (server->tls_port)
    {
      g_key_file_set_integer (file, group, "tls-port", server->tls_port);
      if (g_file_get_contents (server->ca_file, &ca, NULL, NULL))
        g_key_file_set_string (file, group, "ca", ca);
      /* Instead of the host's name, so that any address of this computer will do. */
      subject = vitrine_spice_certificate_subject (server->cert_file, NULL);
      if (subject)
        g_key_file_set_string (file, group, "host-subject", subject);
      g_key_file_set_string (file, group, "secure-channels", "main;display;cursor;inputs");
    }
  if (server->password)
    g_key_file_set_string (file, group, "password", server->password);
  if (server->name)
    g_key_file_set_string (file, group, "title", server->name);
  return g_key_file_to_data (file, NULL, NULL);
}

static void
vitrine_spice_server_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  VitrineSpiceServer *server = VITRINE_SPICE_SERVER (object);

  switch (id)
    {
    case PROP_PORT:
      g_value_set_uint (value, server->port);
      break;
    case PROP_TLS_PORT:
      g_value_set_uint (value, server->tls_port);
      break;
    case PROP_N_CLIENTS:
      g_value_set_uint (value, vitrine_spice_server_get_n_clients (server));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
vitrine_spice_server_dispose (GObject *object)
{
  vt_spice_server_stop (VITRINE_SPICE_SERVER (object));
  G_OBJECT_CLASS (vitrine_spice_server_parent_class)->dispose (object);
}

static void
vitrine_spice_server_finalize (GObject *object)
{
  VitrineSpiceServer *server = VITRINE_SPICE_SERVER (object);

  g_free (server->name);
  g_free (server->password);
  g_free (server->cert_file);
  g_free (server->ca_file);
  G_OBJECT_CLASS (vitrine_spice_server_parent_class)->finalize (object);
}

/* What the library reports is about peers that broke the rules. Users get sentences of ours, and the rest
 * is for the trace; only what ends the process is said by GLib itself. */
static void
log_cb (const char *domain, GLogLevelFlags level, const char *message, void *data)
{
  if (level & G_LOG_FLAG_FATAL)
    g_log_default_handler (domain, level, message, data);
  else
    vt_trace ("spice", "%s", message);
}

static void
vitrine_spice_server_class_init (VitrineSpiceServerClass *class)
{
  GObjectClass     *object_class = G_OBJECT_CLASS (class);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object_class->get_property = vitrine_spice_server_get_property;
  object_class->dispose = vitrine_spice_server_dispose;
  object_class->finalize = vitrine_spice_server_finalize;
  g_object_class_install_property (
      object_class, PROP_PORT,
      g_param_spec_uint ("port", "Port", "Where viewers connect without TLS", 0, 65535, 0, flags));
  g_object_class_install_property (object_class, PROP_TLS_PORT,
                                   g_param_spec_uint ("tls-port", "TLS port",
                                                      "Where viewers connect with TLS", 0, 65535, 0,
                                                      flags));
  g_object_class_install_property (
      object_class, PROP_N_CLIENTS,
      g_param_spec_uint ("n-clients", "Viewers", "How many viewers are connected", 0, G_MAXUINT, 0,
                         flags));
  /* The library's domain; its debugging texts stay with G_MESSAGES_DEBUG. */
  g_log_set_handler ("Spice",
                     (G_LOG_LEVEL_MASK & ~G_LOG_LEVEL_DEBUG) | G_LOG_FLAG_FATAL | G_LOG_FLAG_RECURSION,
                     log_cb, NULL);
}

static void
vitrine_spice_server_init (VitrineSpiceServer *server)
{
}
