/** What the nodes of a flow tab did, counted where it happens and read by the monitor. Kept over a redeploy, by node id. */

export const COUNTERS = [
  'received',
  'emitted',
  'published',
  'deduplicated',
  'filtered',
  'rate_limited',
  'redacted',
  'failed',
  'dead_lettered',
  'reconnects',
] as const;
export type CounterName = (typeof COUNTERS)[number];

/** Plain numbers: counting is an addition, without allocation. `lastEventAt` is in ms since 1970, 0 for never. */
export type Counters = Record<CounterName, number> & { lastEventAt: number };

interface CountedNode {
  id: string;
  type: string;
  counters: Counters;
}

const tabs = new Map<string, Map<string, CountedNode>>();

const zeros = (): Counters =>
  Object.assign(Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Record<CounterName, number>, { lastEventAt: 0 });

/** The counters of a node; the same object again after a redeploy. */
export function countersOf(tab: string, id: string, type: string): Counters {
  let nodes = tabs.get(tab);
  if (!nodes) tabs.set(tab, (nodes = new Map<string, CountedNode>()));
  let node = nodes.get(id);
  if (node?.type !== type) nodes.set(id, (node = { id, type, counters: zeros() }));
  return node.counters;
}

/** Forgets a node that was deleted from its tab. */
export function forgetCounters(tab: string, id: string): void {
  const nodes = tabs.get(tab);
  nodes?.delete(id);
  if (nodes?.size === 0) tabs.delete(tab);
}
