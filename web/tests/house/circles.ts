/** Cycles in a graph of names: its strongly connected components (Tarjan 1972). */

/** Each cycle as its members in order, "one other". */
export function circles(edges: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const order = new Map<string, number>();
  const open: string[] = [];
  const found: string[] = [];
  const visit = (name: string): number => {
    const index = order.size;
    order.set(name, index);
    open.push(name);
    let low = index;
    for (const next of edges.get(name) ?? []) {
      if (!order.has(next)) low = Math.min(low, visit(next));
      else if (open.includes(next)) low = Math.min(low, order.get(next) ?? index);
    }
    if (low === index) {
      const members = open.splice(open.indexOf(name));
      if (members.length > 1 || edges.get(name)?.includes(name))
        found.push(members.sort().join(" "));
    }
    return low;
  };
  for (const name of edges.keys()) if (!order.has(name)) visit(name);
  return found;
}
