/**
 * Heights of items in columns, such that wires between columns are as straight as possible: each
 * item takes the height that its neighbours imply, and items that would overlap share the
 * deviation.
 */

export interface LayoutItem {
  key: string;
  column: number;
  y: number;
  height: number;
}

/** A wire from the height `fromY` within one item to the height `toY` within one further right. */
export interface LayoutEdge {
  from: string;
  to: string;
  fromY: number;
  toY: number;
}

const SWEEPS = 8;

/** New heights by key. The order within each column is kept, with `gap` between neighbours. */
export function straightened(
  items: readonly LayoutItem[],
  edges: readonly LayoutEdge[],
  gap: number,
): Map<string, number> {
  const heights = new Map(items.map((each) => [each.key, each.y]));
  const columns = [...groupedBy(items, (each) => each.column).entries()]
    .sort(([one], [other]) => one - other)
    .map(([, column]) => [...column].sort((one, other) => one.y - other.y));
  const before = groupedBy(edges, (each) => each.to);
  const after = groupedBy(edges, (each) => each.from);
  const preferred = {
    forth: (key: string) =>
      (before.get(key) ?? []).map((each) => (heights.get(each.from) ?? 0) + each.fromY - each.toY),
    back: (key: string) =>
      (after.get(key) ?? []).map((each) => (heights.get(each.to) ?? 0) + each.toY - each.fromY),
  };
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const direction = sweep % 2 === 0 ? "back" : "forth";
    for (const column of direction === "forth" ? columns : [...columns].reverse()) {
      const desired = column.map(
        (each) => median(preferred[direction](each.key)) ?? heights.get(each.key),
      );
      const placed = withoutOverlap(
        column.map((each) => each.height),
        desired.map((each) => each ?? 0),
        gap,
      );
      column.forEach((each, index) => {
        heights.set(each.key, placed[index] ?? 0);
      });
    }
  }
  return heights;
}

/**
 * The same items in columns with fewer wire crossings: each column is sorted by the sockets its
 * wires end at, in alternating sweeps, and the best order seen is returned (Sugiyama et al. 1981).
 */
export function withFewerCrossings(
  items: readonly LayoutItem[],
  edges: readonly LayoutEdge[],
): LayoutItem[] {
  const columns = [...groupedBy(items, (each) => each.column).entries()]
    .sort(([one], [other]) => one - other)
    .map(([, column]) => [...column].sort((one, other) => one.y - other.y));
  const before = groupedBy(edges, (each) => each.to);
  const after = groupedBy(edges, (each) => each.from);
  let [best, fewestCrossings] = [columns, crossingsIn(columns, after)];
  let now = columns;
  for (let sweep = 0; sweep < SWEEPS && fewestCrossings > 0; sweep += 1) {
    const forward = sweep % 2 === 1;
    const places = placesIn(now);
    const next = forward ? [...now] : [...now].reverse();
    next.forEach((column, index) => {
      const desired = new Map(
        column.map((item) => {
          const neighbours = forward
            ? (before.get(item.key) ?? []).map((each) => placeOf(places, each.from, each.fromY))
            : (after.get(item.key) ?? []).map((each) => placeOf(places, each.to, each.toY));
          const sum = neighbours.reduce((total, place) => total + place, 0);
          const own = placeOf(places, item.key, item.height / 2);
          return [item.key, neighbours.length === 0 ? own : sum / neighbours.length] as const;
        }),
      );
      const sorted = [...column].sort(
        (one, other) => (desired.get(one.key) ?? 0) - (desired.get(other.key) ?? 0),
      );
      next[index] = sorted;
      for (const [key, place] of placesIn([sorted])) places.set(key, place);
    });
    now = forward ? next : next.reverse();
    const crossings = crossingsIn(now, after);
    if (crossings < fewestCrossings) [best, fewestCrossings] = [now, crossings];
  }
  return best.flatMap((column) => {
    let y = 0;
    return column.map((item) => {
      const placed = { ...item, y };
      y += item.height;
      return placed;
    });
  });
}

/** The part of its column that an item takes up, from 0 to 1, as columns differ in length. */
interface Place {
  start: number;
  share: number;
  height: number;
}

type Places = Map<string, Place>;

function placesIn(columns: readonly (readonly LayoutItem[])[]): Places {
  return new Map(
    columns.flatMap((column) =>
      column.map(({ key, height }, index) => {
        const share = 1 / column.length;
        return [key, { start: index * share, share, height }] as const;
      }),
    ),
  );
}

/** The position of a socket in the order of its column, from 0 to 1. */
function placeOf(places: Places, key: string, y: number): number {
  const place = places.get(key);
  if (place === undefined) return 0;
  return place.start + place.share * Math.min(Math.max(y / place.height, 0), 1);
}

function crossingsIn(
  columns: readonly (readonly LayoutItem[])[],
  after: ReadonlyMap<string, readonly LayoutEdge[]>,
): number {
  const places = placesIn(columns);
  let crossings = 0;
  for (const column of columns) {
    const wires = column.flatMap(({ key }) =>
      (after.get(key) ?? []).map((each) => ({
        from: placeOf(places, key, each.fromY),
        to: placeOf(places, each.to, each.toY),
      })),
    );
    wires.sort((one, other) => one.from - other.from);
    wires.forEach((upper, index) => {
      for (const lower of wires.slice(index + 1)) {
        if (upper.from < lower.from && upper.to > lower.to) crossings += 1;
      }
    });
  }
  return crossings;
}

function groupedBy<Value, Key>(values: readonly Value[], by: (value: Value) => Key) {
  const found = new Map<Key, Value[]>();
  for (const each of values) {
    const key = by(each);
    const others = found.get(key);
    if (others === undefined) found.set(key, [each]);
    else others.push(each);
  }
  return found;
}

/** The lower median rather than a mean: then at least one of the wires is straight. */
function median(values: number[]): number | undefined {
  return [...values].sort((one, other) => one - other)[Math.floor((values.length - 1) / 2)];
}

interface Block {
  start: number;
  count: number;
  sum: number;
}

/**
 * The positions nearest to the preferred ones (least squares) without overlaps. After subtracting
 * the lengths above each item, positions must not decrease, so decreasing neighbours are pooled
 * (isotonic regression, Ayer et al. 1955).
 */
export function withoutOverlap(
  lengths: readonly number[],
  desired: readonly number[],
  gap: number,
): number[] {
  const above: number[] = [];
  let sum = 0;
  for (const length of lengths) {
    above.push(sum);
    sum += length + gap;
  }
  const blocks: Block[] = [];
  desired.forEach((place, index) => {
    let block: Block = { start: index, count: 1, sum: place - (above[index] ?? 0) };
    for (let last = blocks.at(-1); last !== undefined; last = blocks.at(-1)) {
      if (last.sum / last.count <= block.sum / block.count) break;
      blocks.pop();
      block = { start: last.start, count: last.count + block.count, sum: last.sum + block.sum };
    }
    blocks.push(block);
  });
  return blocks.flatMap((block) =>
    Array.from(
      { length: block.count },
      (_, index) => block.sum / block.count + (above[block.start + index] ?? 0),
    ),
  );
}
