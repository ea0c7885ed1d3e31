/** The shipped flows, and changed copies of them. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from './pack';

export interface FlowNode {
  id: string;
  type: string;
  z?: string;
  name?: string;
  wires?: string[][];
  [property: string]: unknown;
}

export interface ShippedFlow {
  /** Path below `flows/`, with `/` and without `.json`. */
  name: string;
  text: string;
}

export function shippedFlows(): ShippedFlow[] {
  const folder = join(ROOT, 'flows');
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => ({
      name: relative(folder, path).replaceAll('\\', '/').replace(/\.json$/, ''),
      text: readFileSync(path, 'utf8'),
    }));
}

/** A fresh copy each time. */
export function flow(name: string): FlowNode[] {
  const found = shippedFlows().find((shipped) => shipped.name === name);
  if (!found) throw new Error(`there is no flow ${name}`);
  return JSON.parse(found.text) as FlowNode[];
}

/** The only node of its type (and name). */
export function nodeOf(nodes: readonly FlowNode[], type: string, name?: string): FlowNode {
  const found = nodes.filter((node) => node.type === type && (name === undefined || node.name === name));
  if (found.length !== 1) throw new Error(`the flow has ${found.length} nodes of type ${type}`);
  return found[0]!;
}

/** A copy in which nodes of one type have other properties. */
export const withProperties = (nodes: readonly FlowNode[], type: string, properties: Record<string, unknown>): FlowNode[] =>
  nodes.map((node) => (node.type === type ? { ...node, ...properties } : node));
