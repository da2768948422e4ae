# Random changes to binary values, the same in every run: CRM_TEST_SEED chooses others.
package Mutation;
use strict;
use warnings FATAL => 'all';

use Exporter 'import';
our @EXPORT = qw(announce_seed pick changed);

# Numbers that stand at the edge of something, as eight bytes.
my @edges = map { pack('q<', $_) } (0, 1, -1, 2**31, -2**31, 2**53, 9223372036854775807, -9223372036854775807 - 1);
push @edges, map { pack('d<', $_) } (-0.0, 0.5, 1e308, 9**9**9, -9**9**9, -sin(9**9**9));

sub announce_seed
{
    my $seed = $ENV{CRM_TEST_SEED} // 20260101;
    srand($seed);
    Test::More::diag("CRM_TEST_SEED=$seed");
}

sub pick { return $_[ int(rand(@_)) ] }
sub random_bytes { return join('', map { chr(int(rand(256))) } 1 .. $_[0]) }

# One or several changes of a value, of which a part may come from others.
sub changed
{
    my ($value, @others) = @_;
    for (1 .. pick(1, 1, 1, 2, 5))
    {
        my $at = int(rand(length($value) + 1));
        my $kind = int(rand(9));
        my $byte = $at < length $value ? substr($value, $at, 1) : '';
        my $before = substr($value, 0, $at);
        my $behind = substr($value, $at + length $byte);
        if ($kind == 0) { $value = $before . random_bytes(1) . $behind }
        elsif ($kind == 1) { $value = $before . chr(ord($byte) ^ 1 << int(rand(8))) . $behind }
        elsif ($kind == 2) { $value = $before . pick("\x00", "\x01", "\x7f", "\x80", "\xff") . $behind }
        elsif ($kind == 3) { $value = $before }
        elsif ($kind == 4) { $value = $before . random_bytes(1 + int(rand(10))) . $byte . $behind }
        elsif ($kind == 5) { $value = $before . (pick(@others) =~ s/^.{0,@{[ int(rand(4)) ]}}//sr) }
        elsif ($kind == 6) { $value = $before . "\xff" x (1 + int(rand(9))) . pick("\x00", "\x01", "\x7f") . $behind }
        elsif ($kind == 7) { $value = random_bytes(int(rand(40))) }
        elsif (length $value >= 8) { substr($value, 8 * int(rand(length($value) / 8 - 0.001)), 8) = pick(@edges) }
    }
    return $value;
}

1;
