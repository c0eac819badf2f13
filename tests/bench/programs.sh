#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What real programs are measured with, run by a Debian system of which the guest has one and the host another copy.
#
# usage: programs.sh COPIES [NAME…]   prints "WORK name ns checksum" for each work, done COPIES times at once.
#
# Its folder is the current one, and has work (work.c, linked statically) and work.c.
set -euo pipefail
export LC_ALL=C HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
copies=$1
shift
wanted=" $* "

make_text() {
  head -c 2000000 <(cat /usr/lib/python3.11/*.py 2>/dev/null) >text
  [ "$(wc -c <text)" = 2000000 ]
}

# Each copy has a folder of its own to work in, and gives a sum of what it has printed.
work() { # name command…
  local name=$1 start end i
  shift
  [ "$wanted" = "  " ] || [[ $wanted = *" $name "* ]] || return 0
  for ((i = 0; i < copies; i++)); do mkdir -p "copy$i"; done
  start=${EPOCHREALTIME/./}
  for ((i = 0; i < copies; i++)); do
    (cd "copy$i"; "$@" | cksum >sum) &
  done
  wait
  end=${EPOCHREALTIME/./}
  # A copy whose result differs from the first's gives a longer line.
  printf 'WORK %s %d000 %s\n' "$name" $((end - start)) "$(cut -d ' ' -f 1 copy*/sum | sort -u | paste -sd+)"
  rm -r copy*
}

# Processes and shells -------------------------------------------------------------------------------

execs() {
  for ((k = 0; k < 60; k++)); do /bin/true; done
  echo "$k"
}

pipes() {
  for ((k = 0; k < 15; k++)); do echo "$k" | sed 's/1/one/' | cat; done
}

dash_loop() {
  dash -c 'i=0 s= n=0
    while [ $i -lt 60000 ]; do
      i=$((i + 1)) s=$s$((i % 7))
      case $s in *00*|*123*) n=$((n + 1));; esac
      [ ${#s} -lt 40 ] || s=${s#????????}
    done
    echo $n $s'
}

bash_loop() {
  local -A seen=()
  local i n=0 word
  for ((i = 0; i < 20000; i++)); do
    word=w$((i * i % 997))
    seen[$word]=$((${seen[$word]:-0} + i))
    [[ $word =~ ^w([0-9])7 ]] && n=$((n + BASH_REMATCH[1]))
  done
  echo "$n ${#seen[@]} ${seen[w4]}"
}

# Languages ------------------------------------------------------------------------------------------

words_awk() {
  gawk '{ for (i = 1; i <= NF; i++) n[$i]++; c += length($0) }
        END { for (w in n) if (n[w] > most || n[w] == most && w < which) { most = n[w]; which = w }
              print c, length(n), most, which }' ../text
}

words_perl() {
  perl -e 'open F, "../text"; while (<F>) { $n{lc $1}++ while /\b([a-z_]\w*)\s*[(.=]/gi; s/self\.(\w+)/$1/g; $c += length }
    print "$c\n"; print "$_ $n{$_}\n" for (sort { $n{$b} <=> $n{$a} || $a cmp $b } keys %n)[0 .. 20]' 
}

python() {
  python3 -I -S -c '
import json, re
class Node:
  def __init__(self, key): self.key, self.left, self.right = key, None, None
def insert(root, key):
  while True:
    if key == root.key: return
    side = "left" if key < root.key else "right"
    child = getattr(root, side)
    if child is None:
      setattr(root, side, Node(key))
      return
    root = child
def depth(node): return 0 if node is None else 1 + max(depth(node.left), depth(node.right))
seed, root = 1, Node(1 << 30)
for _ in range(6000):
  seed = (seed * 1103515245 + 12345) & 0x7fffffff
  insert(root, seed)
print(depth(root))
with open("../text") as f:
  text = f.read(300000)
words = {}
for word in re.findall(r"[A-Za-z_]+", text): words[word] = words.get(word, 0) + 1
print(sum(len(w) * n for w, n in json.loads(json.dumps(words)).items()))
sieve = bytearray([1]) * 200000
for i in range(2, 450):
  if sieve[i]: sieve[i * i::i] = bytes(len(range(i * i, 200000, i)))
print(sum(sieve), sum(x * x % 7 for x in range(60000)), 3 ** 4000 % 1000007)
'
}

sqlite() {
  sqlite3 :memory: '
    create table t (id integer primary key, name text, n integer);
    with recursive c(i) as (select 1 union all select i + 1 from c where i < 20000)
      insert into t select i, printf("%x-%d", i * 7919 % 10007, i), i * i % 1009 from c;
    create index by_n on t (n, name);
    select n, count(*), min(name), sum(id) from t group by n having count(*) > 20 order by 2 desc, 1 limit 9;
    update t set n = n + 1 where name like "%a-1%";
    select count(*), sum(a.id) from t a join t b on a.n = b.n where a.id % 50 = 0;
    select sum(length(name)) from t where n between 100 and 600;'
}

compile() {
  gcc -O2 -c -o work.o ../work.c
  objdump -d work.o 2>/dev/null | wc -l
  cat work.o
}

# Files ----------------------------------------------------------------------------------------------

squeeze() {
  gzip -n -6 -c ../text >text.gz
  gzip -dc text.gz | cmp - ../text
  cat text.gz
}

xz_squeeze() {
  head -c 400000 ../text | xz -6 -c
}

sha256() {
  for ((k = 0; k < 16; k++)); do cat ../text; done | sha256sum
}

aes() {
  for ((k = 0; k < 16; k++)); do cat ../text; done |
    openssl enc -aes-256-cbc -K 00112233445566778899aabbccddeeff -iv 0123456789abcdef 2>/dev/null
}

# Two numbers of 700 bits, the smaller of which is prime.
bignum() {
  openssl prime -checks 60 "$(printf '7%.0s' {1..210})1" "$((2 ** 61 - 1))" | cut -c 1-20,190-
}

# The kernel, and the units --------------------------------------------------------------------------

small() { # name: of work.c's
  ../work "$1" | cut -d ' ' -f 4
}

make_text
echo "WORKS begin"
work exec execs
work pipes pipes
work dash dash_loop
work bash bash_loop
work awk words_awk
work perl words_perl
work python python
work sqlite sqlite
work compile compile
work gzip squeeze
work xz xz_squeeze
work sha256 sha256
work aes aes
work bignum bignum
for name in nbody linpack matmul syscalls forks switches faults; do
  work $name small $name
done
echo "WORKS done"
