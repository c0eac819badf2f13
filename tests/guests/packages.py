# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's packages, of its release 12 and of those beside it: fetched and read, never installed."""
import io, os, re, subprocess, sys, tarfile, tempfile, time

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "vitrine", "guests")
# What apt-get of this computer knows is Debian 12. Of the others, lists are kept beside the guests.
OTHERS = ("bullseye", "trixie")
SOURCES = """Types: deb
URIs: http://deb.debian.org/debian
Suites: {}
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
WEEK = 7 * 24 * 3600


def run(*command, **options):
  try:
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout
  except subprocess.CalledProcessError as e:
    sys.exit(f"make: {' '.join(command[:3])}: {e.stderr.strip()[-2000:]}")


def options(suite):
  """What makes apt look at @suite alone, with its lists fetched where they are missing or old."""
  if suite is None:
    return ()
  folder = os.path.join(CACHE, "apt", suite)
  sources, fetched = os.path.join(folder, suite + ".sources"), os.path.join(folder, "fetched")
  words = ("-o", "Dir::Etc::sourcelist=" + sources, "-o", "Dir::Etc::sourceparts=-", "-o", "Dir::State=" + folder,
           "-o", "Dir::Cache=" + folder, "-o", "APT::Architecture=amd64", "-o", "Acquire::Languages=none",
           "-o", "Dir::State::status=/dev/null")
  if not os.path.exists(fetched) or time.time() - os.path.getmtime(fetched) > WEEK:
    os.makedirs(os.path.join(folder, "lists", "partial"), exist_ok=True)
    with open(sources, "w", encoding="ascii") as f:
      f.write(SOURCES.format(suite))
    run("apt-get", "-q", *words, "update")
    open(fetched, "w", encoding="ascii").close()
  return words


def depends(package, pattern, suite=None):
  """The package that a virtual one stands for."""
  found = re.search(rf"Depends: ({pattern})", run("apt-cache", *options(suite), "depends", package))
  if not found:
    sys.exit(f"make: the package lists have no {package}: run once as root: apt-get update")
  return found.group(1)


def version(package, suite=None):
  found = re.search(r"Candidate: (\S+)", run("apt-cache", *options(suite), "policy", package))
  if not found:
    sys.exit(f"make: the package lists have no {package}: run once as root: apt-get update")
  return found.group(1)


def files(package, *patterns, suite=None):
  """The contents of the package's files whose names match, in the order of @patterns."""
  with tempfile.TemporaryDirectory() as t:
    # Without this, apt-get run by root warns that its own user can't write there.
    os.chmod(t, 0o777)
    run("apt-get", "-q", *options(suite), "download", package, cwd=t)
    deb = os.path.join(t, os.listdir(t)[0])
    tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], check=True, stdout=subprocess.PIPE).stdout
  result = []
  with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
    for pattern in patterns:
      member = next(m for m in archive.getmembers() if m.isfile() and re.fullmatch(r"\./" + pattern, m.name))
      result.append(archive.extractfile(member).read())
  return result


def write(folder, **contents):
  """Files by name, where "_" stands for "."."""
  for name, data in contents.items():
    with open(os.path.join(folder, name.replace("_", ".")), "wb") as f:
      f.write(data)
