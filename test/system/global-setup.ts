/** Once per run: packs the pack and installs it for the Node-RED of this repository. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { installPack, packTarball } from './support/pack';
import './support/target';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'camera-events-pack-'));
  const installed = join(folder, 'installed');
  const tarball = await packTarball(join(folder, 'tarball'));
  await installPack(installed, tarball, process.execPath);
  const red = createRequire(import.meta.url).resolve('node-red/red.js');
  const name = `Node-RED 4.1 on Node ${process.versions.node.split('.', 1)[0] ?? ''}`;
  project.provide('targets', [{ name, node: process.execPath, red, tarball, installed }]);
  return () => rm(folder, { recursive: true, force: true });
}
