#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# Exercises an allocator through Perl: strings, hashes, sorts, regexes, fork.
# usage: exercise.pl COUNT
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);

my $n = shift @ARGV;
my (%h, @list, $text);

for my $i (1 .. $n) {
	my $k = $i * 7919 % 10007;
	$h{"key $k"} .= chr(97 + $i % 26) x ($i % 50);
	push @list, [ $k, "value $i", { a => $i, b => [ 1 .. $i % 10 ] } ];
	delete $h{ "key " . ($k * 3 % 10007) } if $i % 3 == 0;
	shift @list if $i % 4 == 0;
	$text .= "$k ";
}
my @sorted = sort { $a->[0] <=> $b->[0] || $a->[1] cmp $b->[1] } @list;
(my $changed = $text) =~ s/(\d)(\d)/$2$1/g;
my @words = $text =~ /\b(\d*7\d*)\b/g;

print scalar(keys %h), " ",
    sha256_hex(join ",", map { "$_=$h{$_}" } sort keys %h), "\n";
print scalar(@sorted), " ", sha256_hex(join ",", map { $_->[1] } @sorted), "\n";
print scalar(@words), " ", sha256_hex($changed), "\n";
$| = 1;
for my $i (1 .. 10) {
	my $pid = fork() // die "fork: $!";
	if ($pid == 0) {
		my @mine = map { $_->[1] . $i } @sorted;
		exit(@mine % 256);
	}
	waitpid $pid, 0;
	print $? >> 8, " ";
}
print "\n";
