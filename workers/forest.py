"""Tree ensembles as arrays, and their exact interventional Shapley values (Lundberg et al., Nature Machine Intelligence 2020).

A leaf is reached by a coalition when every player whose split parts instance and baseline stands on the leaf's side. With u
players that must be present and v that must be absent, the leaf gives (u-1)! v! / (u+v)! of its value to each of the former and
takes u! (v-1)! / (u+v)! of it from each of the latter. All (row, tree) pairs walk down together, level by level, and part where
instance and baseline do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from explainery.contract.errors import MethodUnavailable
from workers.coalitions import frozen
from workers.questions import Floats

MOST_PLAYERS = 63
"""Players that may be met on one way down: they are bits of a word."""
BY_PLAYER = 16
"""Players up to which bits are the same on every way down: what leaves give is then summed by word first."""
FEW = 1000
"""Leaves times levels per tree up to which every leaf is tried for every row."""
AT_ONCE = 2**21
"""Rows times nodes that are decided at a time."""
Numbers = NDArray[np.int64]
Bits = NDArray[np.unsignedinteger]
Ended = tuple[Numbers, Numbers, Bits, Bits]
"""Ways down that ended: row, leaf, and the players that must be present, and absent, as bits."""


@dataclass(frozen=True, eq=False)
class Members:
    """Nodes where a row goes left when x[feature] is one of a set. `values`: [nodes, most members], NaN beyond each set."""

    nodes: Numbers
    values: NDArray[np.floating]

    def hold(self, seen: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Whether each value is one of its node's set. `seen`: [rows, nodes]."""
        found = np.zeros(seen.shape, dtype=bool)
        for member in self.values.T:
            found |= seen == member
        return found


@dataclass(frozen=True, eq=False)
class Forest:
    """Nodes of all trees, numbered through; a row goes left where x[feature] <= threshold, or is one of the node's `members`.

    `feature`, `left`, `right`: int64 [nodes], -1 at leaves. `threshold`: [nodes], in the precision of the file.
    `lost_left`: bool [nodes], whether a missing value goes left. `values`: float64 [nodes, columns], 0 but at leaves.
    `roots`: int64 [trees]. `base`: float64 [columns], what every row has in common.
    """

    feature: Numbers
    threshold: NDArray[np.floating]
    left: Numbers
    right: Numbers
    lost_left: NDArray[np.bool_]
    values: Floats
    roots: Numbers
    base: Floats
    members: Members | None = None
    _known: dict[bytes, Ways] = field(default_factory=dict, repr=False)

    def predict(self, rows: NDArray[np.floating]) -> Floats:
        """Outputs [rows, columns]."""
        total = np.tile(self.base, (len(rows), 1))
        goes, at = self._goes_left(rows), np.tile(self.roots, (len(rows), 1))
        which = np.arange(len(rows))[:, None]
        while (inner := self.left[at] >= 0).any():
            onward = np.where(goes[which, at], self.left[at], self.right[at])
            at = np.where(inner, onward, at)
        return np.asarray(total + self.values[at].sum(axis=1))

    def shapley(
        self, rows: NDArray[np.floating], baselines: NDArray[np.floating], columns: Numbers, players: Numbers
    ) -> Floats:
        """Shapley values [pairs, players] of output `columns` [pairs] at `rows` against `baselines`, each [pairs, features].

        `players`: the player of each feature, [features]. Raises MethodUnavailable for ways down that meet too many players.
        """
        ways, most = self._ways(players), max(1, AT_ONCE // len(self.feature))
        parts = []
        for start in range(0, len(rows), most):
            some = slice(start, start + most)
            parts.append(self._shapley(rows[some], baselines[some], columns[some], ways))
        return np.concatenate(parts)

    def _shapley(self, rows: NDArray[np.floating], around: NDArray[np.floating], columns: Numbers, ways: Ways) -> Floats:
        ended = self._tried(rows, around, ways) if ways.few else self._walked_down(rows, around, ways)
        return self._credited(len(rows), columns, ways, ended)

    def _tried(self, rows: NDArray[np.floating], around: NDArray[np.floating], ways: Ways) -> Ended:
        """Every leaf for every row, as bytes: for shallow trees that is less work than walking."""
        by_row, by_baseline = (self._barred(points, ways) for points in (rows, _few(around)))
        reached = ((by_row & by_baseline) == 0) & ((by_row | by_baseline) != 0)
        leaf, row = np.nonzero(reached)
        present = by_baseline[leaf, row if by_baseline.shape[1] > 1 else 0]
        return row, ways.leaves[leaf], present, by_row[leaf, row]

    def _barred(self, points: NDArray[np.floating], ways: Ways) -> NDArray[np.uint8]:
        """The players whose values lead away from each leaf, as bits, [leaves, points]."""
        left = np.ascontiguousarray(self._goes_left(points).T)
        barred = np.zeros((len(ways.leaves), len(points)), dtype=np.uint8)
        for level in range(ways.above.shape[1]):
            away = left[ways.above[:, level]] ^ ways.by_left[:, level, None]
            barred |= away.view(np.uint8) * ways.bits_above[:, level, None]
        return barred

    def _walked_down(self, rows: NDArray[np.floating], around: NDArray[np.floating], ways: Ways) -> Ended:
        """All (row, tree) pairs, level by level; pairs part where instance and baseline do."""
        count, nodes = len(rows), len(self.feature)
        # where instance and baseline go at each node, two bits
        ways_at = (self._goes_left(rows).view(np.uint8) | self._goes_left(_few(around)).view(np.uint8) << 1).reshape(-1)
        row: Numbers = np.repeat(np.arange(count), len(self.roots))
        node: Numbers = np.tile(self.roots, count)
        present: Bits = np.zeros(len(row), dtype=ways.bit.dtype)
        absent: Bits = np.zeros(len(row), dtype=ways.bit.dtype)
        ended: list[Ended] = []
        while len(node):
            leaf = self._leaf.take(node)
            if 3 * np.count_nonzero(leaf) >= len(leaf):  # until then leaves lead to themselves
                on = np.flatnonzero(~leaf)
                ended.append((row[leaf], node[leaf], present[leaf], absent[leaf]))
                row, node, present, absent = row.take(on), node.take(on), present.take(on), absent.take(on)
            way = ways_at.take(row * nodes + node)
            differ = np.flatnonzero((way == 1) | (way == 2))  # few: the rest goes the one way that both go
            bit = ways.bit.take(node.take(differ))
            by_baseline, by_row = (absent.take(differ) & bit) != 0, (present.take(differ) & bit) != 0
            way[differ[by_baseline]] ^= 3
            new = ~(by_baseline | by_row)
            apart, bit = differ[new], bit[new]
            other = self._child.take(2 * node.take(apart) + ((way.take(apart) & 1) ^ 1))
            node = np.concatenate([self._child.take(2 * node + (way & 1)), other])
            row = np.concatenate([row, row.take(apart)])
            theirs, others = present.take(apart), absent.take(apart) | bit
            present[apart] |= bit
            present, absent = np.concatenate([present, theirs]), np.concatenate([absent, others])
        return _joined(ended)

    @cached_property
    def _child(self) -> Numbers:
        """Right and left child of each node in turn, [2 * nodes]; a leaf's are itself."""
        both = np.stack([self.right, self.left], axis=1)
        return np.where(both < 0, np.arange(len(both))[:, None], both).reshape(-1)

    @cached_property
    def _leaf(self) -> NDArray[np.bool_]:
        return self.left < 0

    @cached_property
    def _limits(self) -> NDArray[np.floating]:
        """The thresholds, and at leaves what no value is under."""
        return np.where(self._leaf, self.threshold.dtype.type(np.nan), self.threshold)

    def _credited(self, count: int, columns: Numbers, ways: Ways, ended: Ended) -> Floats:
        """What the leaves that were reached give to the players, [rows, players]."""
        row, node, present, absent = ended
        value = self.values[node, columns[row]]
        u, v = np.bitwise_count(present), np.bitwise_count(absent)
        gains, losses = _shares()
        gain, loss = gains[u, v] * value, losses[u, v] * value
        if ways.by_player:
            return _by_masks(count, row, present, gain, ways.players) - _by_masks(count, row, absent, loss, ways.players)
        total = np.zeros(count * ways.players)
        for place in range(ways.met.shape[1]):
            for side, credit in ((present, gain), (absent, -loss)):
                those = np.flatnonzero(side & side.dtype.type(1 << place))
                to = row[those] * ways.players + ways.met[node[those], place]
                total += np.bincount(to, weights=credit[those], minlength=len(total))
        return total.reshape(count, ways.players)

    def _goes_left(self, rows: NDArray[np.floating]) -> NDArray[np.bool_]:
        """[rows, nodes]; False at leaves."""
        seen = rows.take(np.maximum(self.feature, 0), axis=1)
        left = seen <= self._limits
        if self.members is not None:
            left[:, self.members.nodes] = self.members.hold(seen[:, self.members.nodes])
        if np.isnan(rows).any():
            left |= np.isnan(seen) & self.lost_left & ~self._leaf
        return np.asarray(left)

    def _ways(self, players: Numbers) -> Ways:
        key = players.tobytes()
        if key not in self._known:
            self._known.clear()  # jobs of one model mostly ask for the same players
            self._known[key] = self._walked(players)
        return self._known[key]

    def _walked(self, players: Numbers) -> Ways:
        """Number the players that are met on the way to each node."""
        bit = np.zeros(len(self.feature), dtype=np.uint64)
        met: dict[int, tuple[int, ...]] = {}
        above: list[tuple[tuple[int, bool], ...]] = []
        waiting: list[tuple[int, tuple[int, ...], tuple[tuple[int, bool], ...]]] = [(int(root), (), ()) for root in self.roots]
        while waiting:
            node, before, way = waiting.pop()
            if self.left[node] < 0:
                met[node] = before
                above.append(way)
                continue
            player = int(players[self.feature[node]])
            after = before if player in before else (*before, player)
            if len(after) > MOST_PLAYERS:
                raise MethodUnavailable(f"A tree asks for more than {MOST_PLAYERS} features on one way down; use kernel_shap.")
            bit[node] = 1 << after.index(player)
            waiting.append((int(self.left[node]), after, (*way, (node, True))))
            waiting.append((int(self.right[node]), after, (*way, (node, False))))
        table = np.zeros((len(self.feature), max(map(len, met.values()), default=0)), dtype=np.int64)
        for node, before in met.items():
            table[node, : len(before)] = before
        few = table.shape[1] <= 8 and len(met) * max(map(len, above)) <= FEW * len(self.roots)
        narrow: Bits = bit.astype(np.uint8 if table.shape[1] <= 8 else np.uint16 if table.shape[1] <= 16 else np.uint64)
        if by_player := not few and int(players.max()) < BY_PLAYER:
            narrow = np.where(self._leaf, 0, 1 << players[self.feature]).astype(np.uint16)
        return _ways(int(players.max()) + 1, narrow, table, np.array(list(met)), above, few, by_player=by_player)

    @cached_property
    def columns(self) -> int:
        """How many outputs there are."""
        return len(self.base)

    def asked_of(self, feature: int) -> NDArray[np.floating]:
        """The thresholds and members that nodes compare a feature with."""
        own = [self.threshold[self.feature == feature]]
        if self.members is not None:
            values = self.members.values[self.feature[self.members.nodes] == feature]
            own.append(values[~np.isnan(values)])
        return np.concatenate(own)

    def mixed(self, matrix: Floats, shift: Floats) -> Forest:
        """The forest whose outputs are `outputs @ matrix + shift`. `matrix`: [columns, new columns]."""
        return replace(self, values=self.values @ matrix, base=self.base @ matrix + shift, _known={})


def side_by_side(forests: Sequence[Forest]) -> Forest:
    """One forest with the outputs of all, in turn."""
    starts = np.cumsum([0, *(len(forest.feature) for forest in forests)])
    columns = np.cumsum([0, *(forest.columns for forest in forests)])
    values = np.zeros((int(starts[-1]), int(columns[-1])))
    for number, forest in enumerate(forests):
        values[starts[number] : starts[number + 1], columns[number] : columns[number + 1]] = forest.values
    left, right = (
        np.concatenate([np.where(side < 0, -1, side + start) for side, start in zip(sides, starts, strict=False)])
        for sides in ([forest.left for forest in forests], [forest.right for forest in forests])
    )
    return Forest(
        np.concatenate([forest.feature for forest in forests]),
        np.concatenate([forest.threshold for forest in forests]),
        left,
        right,
        np.concatenate([forest.lost_left for forest in forests]),
        values,
        np.concatenate([forest.roots + start for forest, start in zip(forests, starts, strict=False)]),
        np.concatenate([forest.base for forest in forests]),
        _members_of_all(forests, starts),
    )


def _members_of_all(forests: Sequence[Forest], starts: Numbers) -> Members | None:
    some = [(forest.members, start) for forest, start in zip(forests, starts, strict=False) if forest.members is not None]
    if not some:
        return None
    most = max(members.values.shape[1] for members, _ in some)
    tables = [np.pad(m.values, ((0, 0), (0, most - m.values.shape[1])), constant_values=np.nan) for m, _ in some]
    return Members(np.concatenate([members.nodes + start for members, start in some]), np.concatenate(tables))


@dataclass(frozen=True, eq=False)
class Ways:
    """Who is met on the way to each node.

    `bit`: [nodes], in words of 8, 16 or 64 bits, of the player that a node asks for.
    `met`: int64 [nodes, bits], at leaves: the player of each bit.
    """

    players: int
    bit: Bits
    met: Numbers
    by_player: bool
    """Whether a bit's number is that of its player, on every way down."""
    few: bool
    """Whether all leaves are tried; the rest is for that."""
    leaves: Numbers
    above: Numbers
    """The nodes above each leaf, [leaves, levels]; whether the way goes left there, and the player's bit, 0 beyond the way."""
    by_left: NDArray[np.bool_]
    bits_above: NDArray[np.uint8]


def _ways(
    players: int,
    bit: Bits,
    met: Numbers,
    leaves: Numbers,
    above: list[tuple[tuple[int, bool], ...]],
    few: bool,
    *,
    by_player: bool,
) -> Ways:
    levels = max(map(len, above)) if few else 0
    nodes = np.zeros((len(leaves), levels), dtype=np.int64)
    by_left = np.zeros((len(leaves), levels), dtype=bool)
    bits = np.zeros((len(leaves), levels), dtype=np.uint8)
    for leaf, way in enumerate(above if few else ()):
        for level, (node, left) in enumerate(way):
            nodes[leaf, level], by_left[leaf, level], bits[leaf, level] = node, left, bit[node]
    return Ways(players, bit, met, by_player, few, leaves, nodes, by_left, bits)


@lru_cache(maxsize=1)
def _shares() -> tuple[Floats, Floats]:
    """(u-1)! v! / (u+v)! and u! (v-1)! / (u+v)!, [u, v]; 0 where there is nobody to have it."""
    u, v = (part.astype(np.float64) for part in np.indices((MOST_PLAYERS + 2, MOST_PLAYERS + 2)))

    def share(one: Floats, other: Floats) -> Floats:
        found = np.exp(gammaln(np.maximum(one, 1)) + gammaln(other + 1) - gammaln(one + other + 1))
        return frozen(np.where(one > 0, found, 0.0))

    return share(u, v), share(v, u)


def _by_masks(count: int, row: Numbers, masks: Bits, credit: Floats, players: int) -> Floats:
    """The sum of credits [entries] for each row and player of its entry's mask, [count, players]; eight players at a time."""
    parts = []
    for start in range(0, players, 8):
        byte = (masks >> start) & 255
        table = np.bincount(row * 256 + byte, weights=credit, minlength=256 * count).reshape(count, 256)
        parts.append(table @ _BITS[:, : players - start])
    return np.concatenate(parts, axis=1)


_BITS = frozen(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(np.float64))
"""The bits of a byte, [256, 8]."""


def _few(around: NDArray[np.floating]) -> NDArray[np.floating]:
    """The baselines, or one where they are all the same."""
    return around[:1] if (around == around[:1]).all() else around


def _joined(ended: list[Ended]) -> Ended:
    row, node, present, absent = zip(*ended, strict=True)
    return np.concatenate(row), np.concatenate(node), np.concatenate(present), np.concatenate(absent)
