/**
 * Once per run: the pack, installed for each runtime of the matrix. A runtime (Node-RED and the node binary, both from npm)
 * stays in the folder for temporary files, so that the next run finds it there.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { run } from '../system/support/command';
import { installPack, packTarball } from '../system/support/pack';
import type { Target } from '../system/support/target';

/** The newest with the Node.js it advises, the one before on a new Node.js, and the oldest that the pack says it runs on. */
const RUNTIMES = [
  { nodeRed: '5.0', node: '24' },
  { nodeRed: '4.1', node: '24' },
  { nodeRed: '4.0', node: '20' },
];

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'camera-events-matrix-'));
  const tarball = await packTarball(join(folder, 'tarball'));
  const targets: Target[] = [];
  // One after the other: they share npm's cache, and the second finds there what the first has fetched.
  for (const { nodeRed, node } of RUNTIMES) {
    const runtime = await fetchRuntime(nodeRed, node);
    const installed = join(folder, `${nodeRed}-${node}`);
    await installPack(installed, tarball, runtime.node);
    targets.push({ name: `Node-RED ${nodeRed} on Node ${node}`, ...runtime, tarball, installed });
  }
  project.provide('targets', targets);
  return () => rm(folder, { recursive: true, force: true });
}

async function fetchRuntime(nodeRed: string, node: string): Promise<{ node: string; red: string }> {
  const folder = join(tmpdir(), 'camera-events-runtimes', `node-red-${nodeRed}-node-${node}-${process.platform}-${process.arch}`);
  if (!existsSync(folder)) {
    const unfinished = `${folder}.${process.pid}`;
    await mkdir(unfinished, { recursive: true });
    await writeFile(join(unfinished, 'package.json'), '{"private": true}');
    await run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--prefer-offline', `node-red@~${nodeRed}`, `node@${node}`], {
      cwd: unfinished,
    });
    // Whoever sees the folder sees a whole one.
    await rename(unfinished, folder);
  }
  const modules = join(folder, 'node_modules');
  return {
    node: join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node'),
    red: join(modules, 'node-red', 'red.js'),
  };
}
