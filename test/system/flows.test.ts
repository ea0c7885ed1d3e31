/** Every shipped flow: what is in the file, and that it deploys on a machine where nothing is set. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { shippedFlows, type FlowNode } from './support/flows';
import { nodeRed } from './support/node-red';
import { ROOT } from './support/pack';
import { quietTime, until } from './support/until';

const [target] = inject('targets');
const { nodes: ourFiles } = (
  JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { 'node-red': { nodes: Partial<Record<string, string>> } }
)['node-red'];

const CORE = [
  ...['tab', 'group', 'subflow', 'comment', 'inject', 'debug', 'complete', 'catch', 'status', 'link in', 'link out', 'link call', 'junction'],
  ...['function', 'switch', 'change', 'range', 'template', 'delay', 'trigger', 'rbe', 'split', 'join', 'sort', 'batch', 'json', 'csv'],
  ...['http in', 'http response', 'http request', 'mqtt in', 'mqtt out', 'mqtt-broker', 'tls-config', 'file', 'file in', 'watch', 'global-config'],
];
/** Families whose nodes speak to a device of their own accord. */
const SOURCES = /^dist\/(avigilon|cgi|hanwha|een)\//;

const flows = shippedFlows().map(({ name, text }) => ({ name, text, nodes: JSON.parse(text) as FlowNode[] }));

test('there are flows, and no two nodes of any of them share an id', () => {
  expect(flows.length).toBeGreaterThan(0);
  const ids = flows.flatMap(({ nodes }) => nodes.map(({ id }) => id));
  expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
});

describe.each(flows)('$name', ({ name, text, nodes }) => {
  const ours = nodes.filter(({ type }) => ourFiles[type] !== undefined);

  test('is made of core nodes and ours, on a tab, with a comment that says what to fill in', () => {
    expect(nodes.filter(({ type }) => !CORE.includes(type) && ourFiles[type] === undefined)).toEqual([]);
    expect(ours.length).toBeGreaterThan(0);
    const tabs = nodes.filter(({ type }) => type === 'tab').map(({ id }) => id);
    expect(tabs).toHaveLength(1);
    expect(nodes.some(({ type, z, info }) => type === 'comment' && z === tabs[0] && String(info).length > 100)).toBe(true);
  });

  test('has no wire that leads nowhere', () => {
    const ids = new Set(nodes.map(({ id }) => id));
    const loose = nodes.flatMap(({ id, wires = [] }) => wires.flat().filter((to) => !ids.has(to)).map((to) => `${id} -> ${to}`));
    expect(loose).toEqual([]);
  });

  test('holds no secret', () => {
    const keys = nodes.flatMap((node) => Object.keys(node));
    expect(keys.filter((key) => key === 'credentials' || /^(password|secret|apikey|token)$/i.test(key))).toEqual([]);
    expect(text).not.toMatch(/admin123|:\/\/[^/\s"]+:[^/\s"]+@/);
  });

  test('deploys where nothing is set: it says what is missing, keeps quiet and stays up', async () => {
    const red = await nodeRed(target!);
    await red.deploy(nodes);
    expect((await red.get('/flows/state')).json()).toEqual({ state: 'start' });
    expect(red.log()).not.toContain('Waiting for missing types');
    const sources = ours.filter(({ type, z }) => z && SOURCES.test(ourFiles[type] ?? ''));
    await until(`a status of every source of ${name}`, () => sources.every(({ id }) => red.statusOf(id)));
    await quietTime(3000);
    for (const { id, type } of sources) expect(['red', 'grey'], type).toContain(red.statusOf(id)?.fill);
    for (const { id, type } of ours) {
      expect(red.statusCounts.get(id) ?? 0, `changes of status of ${type}`).toBeLessThanOrEqual(4);
    }
    for (const type of new Set(ours.map((node) => node.type))) {
      const count = ours.filter((node) => node.type === type).length;
      expect(red.linesOf(type).length, `lines of ${type}`).toBeLessThanOrEqual(count);
    }
    expect(red.log()).not.toMatch(/unhandled|uncaught|TypeError|\[error\]/i);
    expect(red.alive).toBe(true);
    expect(await red.stop()).toEqual({ code: 0, signal: null });
  });
});

test('all flows together deploy side by side', async () => {
  const red = await nodeRed(target!, { flow: flows.flatMap(({ nodes }) => nodes) });
  expect((await red.get('/flows/state')).json()).toEqual({ state: 'start' });
  await quietTime();
  expect(red.log()).not.toMatch(/unhandled|uncaught|TypeError|\[error\]/i);
  expect(await red.stop()).toEqual({ code: 0, signal: null });
});
