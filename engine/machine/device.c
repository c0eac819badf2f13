/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The engine's drive of a device: life, regions and register access, reset, pause, saved state.
 */
#include "memory/memory-private.h"

struct VtDevicePrivate
{
  char      *path;
  VtSpace   *space;
  GPtrArray *regions; /* VtRegion */
  bool       realized;
  bool       paused;
  void (*pause_done) (void *data);
  void    *pause_data;
  uint8_t *shadow; /* A loaded state that waits for its commit. */
};

VtDevice *
vt_device_new (const VtDeviceClass *klass, const char *path, const VtDeviceEnv *env)
{
  VtDevice        *dev = g_malloc0 (klass->size);
  VtDevicePrivate *priv = g_new0 (VtDevicePrivate, 1);

  priv->path = g_strdup (path);
  priv->space = env->space;
  priv->regions = g_ptr_array_new ();
  priv->paused = true;
  dev->klass = klass;
  dev->path = priv->path;
  dev->context = env->context;
  dev->clock = env->clock;
  dev->memory = env->space == NULL ? NULL : vt_memory_new (env->space);
  dev->state = (uint8_t *) dev + klass->state_offset;
  dev->priv = priv;
  return dev;
}

bool
vt_device_realize (VtDevice *dev, GError **error)
{
  bool ok;

  vt_context_lock (dev->context);
  ok = dev->klass->realize (dev, error);
  dev->priv->realized = true;
  if (ok && dev->klass->reset != NULL)
    dev->klass->reset (dev, VT_RESET_COLD);
  vt_context_unlock (dev->context);
  return ok;
}

void
vt_device_free (VtDevice *dev)
{
  VtDevicePrivate *priv;

  if (dev == NULL)
    return;
  priv = dev->priv;
  /* Unmapped first, so that no vCPU comes in any more. */
  for (guint i = 0; i < priv->regions->len; i++)
    vt_region_unmap (priv->regions->pdata[i]);
  vt_context_lock (dev->context);
  if (priv->realized && dev->klass->unrealize != NULL)
    dev->klass->unrealize (dev);
  vt_context_unlock (dev->context);
  for (guint i = 0; i < priv->regions->len; i++)
    vt_region_free (priv->regions->pdata[i]);
  g_ptr_array_free (priv->regions, TRUE);
  vt_memory_free (dev->memory);
  g_free (priv->shadow);
  g_free (priv->path);
  g_free (priv);
  g_free (dev);
}

void
vt_device_reset (VtDevice *dev, VtResetKind kind)
{
  vt_context_lock (dev->context);
  if (dev->klass->reset != NULL)
    dev->klass->reset (dev, kind);
  vt_context_unlock (dev->context);
}

/* Pause and state ------------------------------------------------------------------------------ */

void
vt_device_pause (VtDevice *dev, void (*done) (void *data), void *data)
{
  vt_context_lock (dev->context);
  if (dev->priv->paused)
    {
      if (done != NULL)
        done (data);
    }
  else
    {
      dev->priv->pause_done = done;
      dev->priv->pause_data = data;
      if (dev->klass->pause != NULL)
        dev->klass->pause (dev);
      else
        vt_device_paused (dev);
    }
  vt_context_unlock (dev->context);
}

void
vt_device_paused (VtDevice *dev)
{
  void (*done) (void *data) = dev->priv->pause_done;

  dev->priv->paused = true;
  dev->priv->pause_done = NULL;
  if (done != NULL)
    done (dev->priv->pause_data);
}

bool
vt_device_is_paused (const VtDevice *dev)
{
  return dev->priv->paused;
}

void
vt_device_resume (VtDevice *dev)
{
  vt_context_lock (dev->context);
  dev->priv->paused = false;
  /* A drain that was still under way has nobody left to tell. */
  dev->priv->pause_done = NULL;
  if (dev->klass->resume != NULL)
    dev->klass->resume (dev);
  vt_context_unlock (dev->context);
}

void
vt_device_save (VtDevice *dev, GByteArray *out)
{
  vt_context_lock (dev->context);
  vt_state_save (dev->klass->state, dev->state, out);
  vt_context_unlock (dev->context);
}

bool
vt_device_load (VtDevice *dev, uint16_t version, const uint8_t *data, size_t len, GError **error)
{
  g_autofree uint8_t *shadow = g_malloc0 (dev->klass->state->size + 1);

  if (!vt_state_load (dev->klass->state, version, data, len, NULL, shadow, error))
    {
      g_prefix_error (error, "%s: ", dev->path);
      return false;
    }
  g_free (dev->priv->shadow);
  dev->priv->shadow = g_steal_pointer (&shadow);
  return true;
}

void
vt_device_commit (VtDevice *dev)
{
  if (dev->priv->shadow == NULL)
    return;
  vt_context_lock (dev->context);
  memcpy (dev->state, dev->priv->shadow, dev->klass->state->size);
  g_clear_pointer (&dev->priv->shadow, g_free);
  if (dev->klass->loaded != NULL)
    dev->klass->loaded (dev);
  vt_context_unlock (dev->context);
}

/* Regions ------------------------------------------------------------------------------------ */

VtRegion *
vt_device_add_region (VtDevice *dev, VtSpaceKind kind, const VtRegionOps *ops, uint64_t size)
{
  VtRegion *region = vt_region_new (dev->priv->space, dev, kind, size);

  region->ops = ops;
  g_ptr_array_add (dev->priv->regions, region);
  return region;
}

VtRegion *
vt_device_add_ram_region (VtDevice          *dev,
                          VtRam             *ram,
                          uint64_t           offset,
                          uint64_t           size,
                          VtRamMode          mode,
                          const VtRegionOps *ops)
{
  VtRegion *region = vt_region_new (dev->priv->space, dev, VT_SPACE_MEMORY, size);

  /* A window past the block's end would be our own mistake, and is cut rather than trusted. */
  if (!vt_range_ok (offset, size, ram->size))
    {
      offset = MIN (offset, ram->size);
      region->size = MIN (size, ram->size - offset);
    }
  region->ops = ops;
  region->ram = ram;
  region->ram_offset = offset;
  region->mode = mode;
  g_ptr_array_add (dev->priv->regions, region);
  return region;
}

unsigned
vt_device_n_regions (const VtDevice *dev)
{
  return dev->priv->regions->len;
}

VtRegion *
vt_device_region (const VtDevice *dev, unsigned n)
{
  return dev->priv->regions->pdata[n];
}

VtRam *
vt_region_ram (const VtRegion *region)
{
  return region->ram;
}

VtSpaceKind
vt_region_kind (const VtRegion *region)
{
  return region->kind;
}

uint64_t
vt_region_size (const VtRegion *region)
{
  return region->size;
}

void
vt_device_map_begin (VtDevice *dev)
{
  if (dev->priv->space != NULL)
    vt_space_begin (dev->priv->space);
}

void
vt_device_map_commit (VtDevice *dev)
{
  if (dev->priv->space != NULL)
    vt_space_commit (dev->priv->space);
}

/* The largest naturally aligned piece at @offset that the device decodes and @size holds. */
static unsigned
piece (const VtRegionOps *ops, uint64_t offset, unsigned size)
{
  unsigned part = ops->max_size;

  while (part > 1 && (part > size || offset % part != 0))
    part /= 2;
  return part;
}

uint64_t
vt_region_read (VtRegion *region, uint64_t offset, unsigned size)
{
  const VtRegionOps *ops = region->ops;
  uint64_t           value = vt_ones (size);
  bool               take;

  if (!vt_range_ok (offset, size, region->size))
    return value;
  if (region->ram != NULL)
    {
      value = 0;
      memcpy (&value, region->ram->host + region->ram_offset + offset, size);
      return GUINT64_FROM_LE (value);
    }
  if (ops == NULL || ops->read == NULL)
    return value;
  take = !ops->unlocked && !vt_context_held (region->dev->context);
  if (take)
    vt_context_lock (region->dev->context);
  for (unsigned done = 0; done < size;)
    {
      unsigned part = piece (ops, offset + done, size - done);
      uint64_t at = offset + done, v;

      if (part >= ops->min_size)
        v = ops->read (region->dev, at, part);
      else
        {
          uint64_t base = vt_align_down (at, ops->min_size);

          v = ops->read (region->dev, base, ops->min_size) >> (8 * (at - base));
        }
      value &= ~(vt_ones (part) << (8 * done));
      value |= (v & vt_ones (part)) << (8 * done);
      done += part;
    }
  if (take)
    vt_context_unlock (region->dev->context);
  return value;
}

/* What the kernel's ioeventfd would have caught. */
static bool
kicked (const VtRegion *region, uint64_t offset, unsigned size, uint64_t value)
{
  for (guint i = 0; region->kicks != NULL && i < region->kicks->len; i++)
    {
      const VtRegionKick *k = &g_array_index (region->kicks, VtRegionKick, i);

      if (k->offset == offset && (k->size == 0 || k->size == size) &&
          (k->match < 0 || (uint64_t) k->match == value))
        {
          vt_kick_signal (k->kick);
          return true;
        }
    }
  return false;
}

void
vt_region_write (VtRegion *region, uint64_t offset, unsigned size, uint64_t value)
{
  const VtRegionOps *ops = region->ops;
  bool               take;

  value &= vt_ones (size);
  if (!vt_range_ok (offset, size, region->size) || kicked (region, offset, size, value))
    return;
  if (region->ram != NULL && region->mode == VT_RAM_RW)
    {
      value = GUINT64_TO_LE (value);
      memcpy (region->ram->host + region->ram_offset + offset, &value, size);
      vt_ram_mark_dirty (region->ram, region->ram_offset + offset, size);
      return;
    }
  if (ops == NULL || ops->write == NULL)
    return;
  take = !ops->unlocked && !vt_context_held (region->dev->context);
  if (take)
    vt_context_lock (region->dev->context);
  for (unsigned done = 0; done < size;)
    {
      unsigned part = piece (ops, offset + done, size - done);

      if (part >= ops->min_size)
        ops->write (region->dev, offset + done, part, (value >> (8 * done)) & vt_ones (part));
      done += part;
    }
  if (take)
    vt_context_unlock (region->dev->context);
}
