# SPDX-License-Identifier: BSD-2-Clause
#
# machine.awk - reads a machine file and writes it as something else.
#
#	awk -f machine.awk -v form=FORM FILE		(numa-tests/machine)
#
# The keys are those of numaslab_machine(5).  The first part reads, and says
# with file and line what is wrong; the second asks whether the whole makes
# sense; then there is a function for each form.  Everything is by node
# number: ncpu[], cpulist[], mem[], kind[], socket[], initiator[], lost[],
# distance[from,to], latency[from,to], bandwidth[from,to].

# --- reading -----------------------------------------------------------------

function fail(line, text) {
	printf "%s:%d: %s\n", FILENAME, line, text >"/dev/stderr"
	failed = 1
	exit 1
}

function is_number(s) {
	return s ~ /^[0-9]+$/ && length(s) < 10
}

# "0-2,5" is put into list[1..]; returns how many.
function expand(s, list,    part, n, i, j, ends, count) {
	n = split(s, part, ",")
	for (i = 1; i <= n; i++) {
		if (part[i] !~ /^[0-9]+(-[0-9]+)?$/)
			fail(FNR, "'" s "' is not a list such as 0,2-3")
		ends[2] = ""
		if (split(part[i], ends, "-") == 1)
			ends[2] = ends[1]
		if (ends[2] + 0 < ends[1] + 0 || ends[2] + 0 > 1023)
			fail(FNR, "'" part[i] "' is not a range of up to 1023")
		for (j = ends[1] + 0; j <= ends[2] + 0; j++)
			list[++count] = j
	}
	return count
}

function number(s, what, least, most) {
	if (!is_number(s) || s + 0 < least || s + 0 > most)
		fail(FNR, "'" s "' is not " what " of " least " to " most)
	return s + 0
}

function set_cpus(id, value,    list, n, i) {
	n = expand(value, list)
	for (i = 1; i <= n; i++) {
		if (list[i] in node_of_cpu)
			fail(FNR, "CPU " list[i] " is on two nodes")
		node_of_cpu[list[i]] = id
		cpu[id, ncpu[id]++] = list[i]
	}
	cpulist[id] = value
	ncpus += n
}

function node_word(id, word,    at, name, value) {
	at = index(word, "=")
	name = at ? substr(word, 1, at - 1) : word
	value = at ? substr(word, at + 1) : ""
	if (name == "cpus")
		set_cpus(id, value)
	else if (name == "mem") {
		if (value !~ /^[0-9]+M$/ || value + 0 < 1)
			fail(FNR, "'" value "' is not a size such as 512M")
		mem[id] = value + 0
	} else if (name == "kind") {
		if (value !~ /^(dram|hbm|cxl)$/)
			fail(FNR, "'" value "' is not dram, hbm or cxl")
		kind[id] = value
	} else if (name == "socket")
		socket[id] = number(value, "a socket", 0, 1023)
	else if (name == "initiator")
		initiator[id] = number(value, "a node", 0, 1023)
	else if (word == "lost")
		lost[id] = 1
	else
		fail(FNR, "unknown key '" name "' of a node")
}

function read_node(    ids, n, i, j) {
	n = expand($2, ids)
	if (n == 0)
		fail(FNR, "node wants a number")
	for (i = 1; i <= n; i++) {
		if (ids[i] in line_of)
			fail(FNR, "node " ids[i] " is there already")
		line_of[ids[i]] = FNR
		ncpu[ids[i]] = mem[ids[i]] = lost[ids[i]] = 0
		kind[ids[i]] = "dram"
		nnodes++
		for (j = 3; j <= NF; j++)
			node_word(ids[i], $j)
	}
}

function read_pair(matrix, what, least, most,    from, to) {
	if (NF != 4)
		fail(FNR, $1 " wants two nodes and " what)
	from = number($2, "a node", 0, 1023)
	to = number($3, "a node", 0, 1023)
	if ((from, to) in matrix)
		fail(FNR, $1 " " from " " to " is there already")
	matrix[from, to] = number($4, what, least, most)
	pair_line[from, to] = FNR
	return 1
}

function rest(    s) {
	s = $0
	sub(/^[ \t]*[a-z]+[ \t]+/, "", s)
	sub(/[ \t]+$/, "", s)
	return s
}

{ sub(/#.*/, "") }
NF == 0 { next }
$1 == "why" && NF > 1 { why = why (why == "" ? "" : "\n") rest(); next }
$1 == "node" { read_node(); next }
$1 == "distance" {
	ndistance += read_pair(distance, "a distance", 11, 254)
	next
}
$1 == "latency" {
	nhmat += read_pair(latency, "nanoseconds", 1, 65534)
	next
}
$1 == "bandwidth" {
	nhmat += read_pair(bandwidth, "MiB/s", 1, 67000000)
	if ($4 % 1024)
		fail(FNR, "'" $4 "' is not a multiple of 1024")
	next
}
$1 == "kernel" && NF > 1 { kernel = kernel " " rest(); next }
{ fail(FNR, "unknown key '" $1 "'") }

# --- the whole ---------------------------------------------------------------

function check_nodes(    id, total, seen, at) {
	for (id = 0; id < nnodes; id++) {
		if (!(id in line_of))
			fail(FNR, "there is no node " id)
		if (ncpu[id] && seen != "")
			fail(line_of[id], "node " id " has CPUs and node " \
			    seen " has none: Linux would number it first")
		if (!ncpu[id])
			seen = id
		if (!ncpu[id] && !mem[id])
			fail(line_of[id], "node " id " has nothing")
		if (lost[id] && (ncpu[id] || !mem[id]))
			fail(line_of[id], "only a node of memory can be lost")
		if (lost[id])
			kernel = kernel " " sprintf("memmap=%dM$%dM", mem[id],
			    total)
		total += mem[id]
		if (id in initiator && !ncpu[initiator[id]])
			fail(line_of[id], "initiator " initiator[id] \
			    " has no CPUs")
		if (!(id in initiator) && ncpu[id])
			initiator[id] = id
		if (!(id in initiator) && nhmat)
			fail(line_of[id], "node " id " wants an initiator")
		at = id
		if (id in initiator && initiator[id] < id)
			at = socket[initiator[id]]
		if (!(id in socket))
			socket[id] = at
		# QEMU puts what is above behind a hole in the addresses.
		if (total > 2816)
			fail(line_of[id], "more than 2816M of memory")
	}
	for (id = 0; id < ncpus; id++)
		if (!(id in node_of_cpu))
			fail(FNR, "there is no CPU " id)
	if (!ncpus)
		fail(FNR, "there are no CPUs")
	memory = total
}

function check_pairs(    from, to, i, pair) {
	for (i in pair_line) {
		split(i, pair, SUBSEP)
		if (!(pair[1] in line_of) || !(pair[2] in line_of))
			fail(pair_line[i], "there is no such node")
	}
	for (from = 0; from < nnodes; from++)
		for (to = 0; to < nnodes; to++) {
			if (from == to) {
				if ((from, to) in distance)
					fail(pair_line[from, to],
					    "the distance to itself is 10")
			} else if (!((from, to) in distance)) {
				if ((to, from) in distance)
					distance[from, to] = distance[to, from]
				else if (ndistance)
					fail(FNR, "no distance from " from \
					    " to " to)
				else
					distance[from, to] = 20
			}
			check_hmat(from, to)
		}
	for (from = 0; from < nnodes; from++)
		distance[from, from] = 10
}

function check_hmat(from, to) {
	if (!nhmat)
		return
	if (!ncpu[from]) {
		if ((from, to) in latency || (from, to) in bandwidth)
			fail(pair_line[from, to], "node " from " has no CPUs")
	} else if (mem[to] && !((from, to) in latency))
		fail(FNR, "no latency from " from " to " to)
	else if (mem[to] && !((from, to) in bandwidth))
		fail(FNR, "no bandwidth from " from " to " to)
}

# --- QEMU's arguments, one a line --------------------------------------------

function cpu_ranges(id,    part, n, i, s) {
	n = split(cpulist[id], part, ",")
	for (i = 1; i <= n; i++)
		s = s ",cpus=" part[i]
	return s
}

# A socket for each CPU: then no cache is shared across nodes.
function write_qemu(    id, to) {
	printf "-machine\nq35,hmat=%s\n-m\n%dM\n", nhmat ? "on" : "off", memory
	printf "-smp\n%d,sockets=%d,cores=1\n", ncpus, ncpus
	for (id = 0; id < nnodes; id++) {
		if (mem[id])
			printf "-object\nmemory-backend-ram,size=%dM,id=m%d\n",
			    mem[id], id
		printf "-numa\nnode,nodeid=%d%s%s%s\n", id,
		    ncpu[id] ? cpu_ranges(id) : "",
		    mem[id] ? ",memdev=m" id : "",
		    nhmat ? ",initiator=" initiator[id] : ""
	}
	for (id = 0; id < nnodes; id++)
		for (to = 0; to < nnodes; to++) {
			if (ndistance && id != to)
				printf "-numa\ndist,src=%d,dst=%d,val=%d\n",
				    id, to, distance[id, to]
			if (nhmat && ncpu[id] && mem[to])
				write_qemu_hmat(id, to)
		}
}

function write_qemu_hmat(id, to,    head) {
	head = sprintf("-numa\nhmat-lb,initiator=%d,target=%d,%s", id, to,
	    "hierarchy=memory,data-type=access-")
	printf "%slatency,latency=%d\n", head, latency[id, to]
	printf "%sbandwidth,bandwidth=%dM\n", head, bandwidth[id, to]
}

# --- hwloc's XML -------------------------------------------------------------

# The bits of set[0..1023] as hwloc writes them.
function mask(set,    word, top, i, v, s) {
	for (i = 0; i < 1024; i++)
		if (i in set)
			top = int(i / 32)
	for (word = top; word >= 0; word--) {
		v = 0
		for (i = 31; i >= 0; i--)
			v = v * 2 + ((word * 32 + i) in set)
		s = s sprintf("%s0x%04x%04x", word == top ? "" : ",",
		    int(v / 65536), v % 65536)
	}
	return s
}

# Whose CPUs and memory lie in a place: all's, a socket's, or one node's.
# A node without CPUs is in its initiator's place, or in the machine.
function is_in(id, sock, node) {
	if (lost[id])
		return 0
	if (sock == "")
		return 1
	if (!(id in initiator))
		return 0
	return node == "" ? socket[id] == sock : initiator[id] == node
}

function sets(sock, node,    id, i, cpus, nodes) {
	split("", cpus)
	split("", nodes)
	for (id = 0; id < nnodes; id++) {
		if (!is_in(id, sock, node))
			continue
		nodes[id]
		for (i = 0; i < ncpu[id]; i++)
			cpus[cpu[id, i]]
	}
	cpuset = mask(cpus)
	nodeset = mask(nodes)
}

function open_object(type, os_index, extra) {
	printf "<object type=\"%s\"%s cpuset=\"%s\" complete_cpuset=\"%s\" " \
	    "nodeset=\"%s\" complete_nodeset=\"%s\" gp_index=\"%d\"%s>\n", type,
	    os_index == "" ? "" : " os_index=\"" os_index "\"", cpuset, cpuset,
	    nodeset, nodeset, ++gp, extra
}

# The memory of @id, in a place whose sets have been made.
function write_numa(id,    one, near) {
	split("", one)
	one[id]
	near = nodeset
	nodeset = mask(one)
	open_object("NUMANode", id, sprintf(" local_memory=\"%.0f\"%s",
	    mem[id] * 1048576,
	    kind[id] == "dram" ? "" : " subtype=\"" toupper(kind[id]) "\""))
	gp_of[id] = gp
	print "</object>"
	nodeset = near
}

# Of a node with CPUs: its memory, that of those it initiates, its CPUs.
function write_cpu_node(id, wrap,    i, one, other) {
	sets(socket[id], id)
	if (wrap)
		open_object("Group", "", " kind=\"1001\" subkind=\"0\"")
	cpuset_of[id] = cpuset
	for (other = 0; other < nnodes; other++)
		if (is_in(other, socket[id], id))
			write_numa(other)
	for (i = 0; i < ncpu[id]; i++) {
		split("", one)
		one[cpu[id, i]]
		cpuset = mask(one)
		open_object("Core", cpu[id, i], "")
		open_object("PU", cpu[id, i], "")
		print "</object></object>"
	}
	if (wrap)
		print "</object>"
}

function write_socket(sock,    id, members) {
	for (id = 0; id < nnodes; id++)
		members += ncpu[id] && socket[id] == sock
	if (!members)
		return
	sets(sock, "")
	open_object("Package", sock, "")
	for (id = 0; id < nnodes; id++)
		if (ncpu[id] && socket[id] == sock)
			write_cpu_node(id, members > 1)
	print "</object>"
}

function write_matrix(    from, to, n, s) {
	for (from = 0; from < nnodes; from++)
		if (!lost[from]) {
			s = s from " "
			n++
		}
	printf "<distances2 type=\"NUMANode\" nbobjs=\"%d\" kind=\"5\" " \
	    "name=\"NUMALatency\" indexing=\"os\">\n", n
	printf "<indexes length=\"%d\">%s</indexes>\n", length(s), s
	for (from = 0; from < nnodes; from++) {
		if (lost[from])
			continue
		s = ""
		for (to = 0; to < nnodes; to++)
			if (!lost[to])
				s = s distance[from, to] " "
		printf "<u64values length=\"%d\">%s</u64values>\n", length(s), s
	}
	print "</distances2>"
}

function write_attribute(name, flags, matrix,    from, to) {
	printf "<memattr name=\"%s\" flags=\"%d\">\n", name, flags
	for (to = 0; to < nnodes; to++)
		for (from = 0; from < nnodes; from++)
			if (ncpu[from] && mem[to] && !lost[to])
				printf "<memattr_value target_obj_type=" \
				    "\"NUMANode\" target_obj_gp_index=\"%d\" " \
				    "value=\"%d\" initiator_cpuset=\"%s\"/>\n",
				    gp_of[to], matrix[from, to],
				    cpuset_of[from]
	print "</memattr>"
}

function write_xml(    id, sock) {
	print "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
	print "<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">"
	print "<topology version=\"2.0\">"
	sets("", "")
	open_object("Machine", 0, sprintf(" allowed_cpuset=\"%s\" " \
	    "allowed_nodeset=\"%s\"", cpuset, nodeset))
	for (id = 0; id < nnodes; id++)
		if (!(id in initiator) && !lost[id])
			write_numa(id)
	for (sock = 0; sock < 1024; sock++)
		write_socket(sock)
	print "</object>"
	if (nnodes > 1)
		write_matrix()
	if (nhmat) {
		write_attribute("Bandwidth", 5, bandwidth)
		write_attribute("Latency", 6, latency)
	}
	print "</topology>"
}

# --- what the kernel would tell, and what the library must make of it --------

function has_memory(id) {
	return mem[id] && !lost[id]
}

# "0-2,5": the nodes for which yes[] is true.
function list_of(yes,    id, first, s) {
	for (id = 0; id < nnodes; id++) {
		if (!yes[id])
			continue
		first = id
		while (id + 1 < nnodes && yes[id + 1])
			id++
		s = s (s == "" ? "" : ",") (first == id ? id : first "-" id)
	}
	return s
}

function write_sysfs(    id, to, with_memory, online, s) {
	for (id = 0; id < nnodes; id++) {
		with_memory[id] = has_memory(id)
		online[id] = !lost[id]
	}
	printf "== status\nMems_allowed_list:\t%s\n", list_of(with_memory)
	printf "== node/online\n%s\n", list_of(online)
	printf "== node/has_memory\n%s\n", list_of(with_memory)
	for (id = 0; id < nnodes; id++) {
		if (lost[id])
			continue
		printf "== node/node%d/cpulist\n%s\n", id, cpulist[id]
		printf "== node/node%d/meminfo\nNode %d MemTotal: %d kB\n", id,
		    id, mem[id] * 1024
		if (nhmat && mem[id])
			printf "== node/node%d/access0/initiators/read_latency" \
			    "\n%d\n== node/node%d/access0/initiators/" \
			    "read_bandwidth\n%d\n", id,
			    latency[initiator[id], id], id,
			    bandwidth[initiator[id], id]
		printf "== node/node%d/distance\n", id
		s = ""
		for (to = 0; to < nnodes; to++)
			if (!lost[to])
				s = s (s == "" ? "" : " ") distance[id, to]
		print s
	}
}

# What an object in the tree is called, from the machine down.
function path(id,    members, other) {
	if (!(id in initiator))
		return "M"
	for (other = 0; other < nnodes; other++)
		members += ncpu[other] && socket[other] == socket[id]
	return "M/" socket[id] (members > 1 ? "/" initiator[id] : "")
}

# From @from upwards to what it shares with @to.
function levels(from, to,    a, b, n, m, i) {
	n = split(path(from), a, "/")
	m = split(path(to), b, "/")
	for (i = 1; i <= n && i <= m && a[i] == b[i]; i++)
		;
	return n - i + 2
}

# hwloc knows costs by CPUs: those of a node without are its initiator's.
function nearer(from, a, b, refined,    i) {
	if (distance[from, a] != distance[from, b])
		return distance[from, a] < distance[from, b]
	if (!refined)
		return 0
	if (nhmat) {
		i = initiator[from]
		if (latency[i, a] != latency[i, b])
			return latency[i, a] < latency[i, b]
		if (bandwidth[i, a] != bandwidth[i, b])
			return bandwidth[i, a] > bandwidth[i, b]
	}
	return levels(from, a) < levels(from, b)
}

# The nodes with memory from @from on, in a ring, sorted.
function order(from, refined,    slots, n, i, j, at, s, sorted, id) {
	for (id = 0; id < nnodes; id++)
		if (has_memory(id)) {
			if (id == from)
				at = n
			slots[n++] = id
		}
	s = from
	sorted[0] = from
	for (i = 1; i < n; i++) {
		id = slots[(at + i) % n]
		for (j = i; j > 1 && nearer(from, id, sorted[j - 1], refined);
		    j--)
			sorted[j] = sorted[j - 1]
		sorted[j] = id
	}
	for (i = 1; i < n; i++)
		s = s " " sorted[i]
	return s
}

# The node with memory that is nearest to @id.
function home(id,    to, best) {
	if (has_memory(id))
		return id
	for (to = 0; to < nnodes; to++)
		if (has_memory(to) && (best == "" ||
		    distance[id, to] < distance[id, best]))
			best = to
	return best
}

# Without an HMAT nobody can tell what a node without CPUs is.
function write_memory(    id, tells) {
	for (id = 0; id < nnodes; id++)
		if (has_memory(id))
			print "memory", id, \
			    (nhmat || ncpu[id] ? kind[id] : "cxl"), mem[id], \
			    (nhmat ? latency[initiator[id], id] : 0), \
			    (nhmat ? bandwidth[initiator[id], id] : 0)
}

# By key[], the least first, then by distance: the home of a thread near @from,
# and where that spills.
function preferred(from, key,    n, near, best, i, j, s, done) {
	n = split(order(from, 0), near, " ")
	best = near[1]
	for (i = 2; i <= n; i++)
		if (key[near[i]] < key[best])
			best = near[i]
	split(order(best, 0), near, " ")
	for (i = 2; i <= n; i++) {
		for (j = i; j > 2 && key[near[j]] < key[near[j - 1]]; j--) {
			done = near[j]
			near[j] = near[j - 1]
			near[j - 1] = done
		}
	}
	s = best
	for (i = 2; i <= n; i++)
		s = s " " near[i]
	return s
}

function write_preferences(from,    id, most, size, far, slow) {
	for (id = 0; id < nnodes; id++)
		if (has_memory(id) && mem[id] > most)
			most = mem[id]
	for (id = 0; id < nnodes; id++) {
		size[id] = -int(mem[id] * 16 / most + 0.5)
		if (nhmat) {
			far[id] = latency[initiator[id], id]
			slow[id] = -bandwidth[initiator[id], id]
		}
	}
	print "prefer capacity", from, preferred(from, size)
	if (!nhmat)
		return
	print "prefer latency", from, preferred(from, far)
	print "prefer bandwidth", from, preferred(from, slow)
}

function write_expected(    id, to, s, n) {
	for (id = 0; id < nnodes; id++)
		if (has_memory(id)) {
			s = s " " id
			n++
		}
	print "slots" s
	print "allowed" s
	s = "home"
	for (id = 0; id < ncpus; id++)
		s = s " " id ":" home(node_of_cpu[id])
	print s
	for (id = 0; n > 1 && id < nnodes; id++) {
		if (!has_memory(id))
			continue
		print "order " id " " order(id, 0)
		for (to = 0; to < nnodes; to++)
			if (has_memory(to))
				print "distance", id, to, distance[id, to]
	}
	write_memory()
	for (id = 0; n > 1 && id < nnodes; id++)
		if (has_memory(id))
			write_preferences(id)
	for (id = 0; n > 1 && id < nnodes; id++)
		if (has_memory(id))
			print "refined " id " " order(id, 1)
	if (n > 1)
		write_memory()
}

function write_recorded() {
	printf "Why: %s\n", why
	write_sysfs()
	print "== xml"
	write_xml()
	print "== expect"
	write_expected()
}

END {
	if (failed)
		exit 1
	if (why == "")
		fail(FNR, "there is no why")
	check_nodes()
	check_pairs()
	if (form == "qemu")
		write_qemu()
	else if (form == "kernel")
		print kernel
	else if (form == "xml")
		write_xml()
	else if (form == "recorded")
		write_recorded()
	else if (form == "why")
		print why
}
