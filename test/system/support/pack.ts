/** The pack as users get it: packed by npm, then installed with the very flags of Node-RED's palette. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './command';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const PACK = '@aforo/node-red-camera-events';

/** As in `@node-red/registry/lib/installer.js`; `--prefer-offline` is ours, `npm ci` has filled the cache. */
const PALETTE_FLAGS = ['--no-audit', '--no-update-notifier', '--no-fund', '--save', '--save-prefix=~', '--omit=dev', '--engine-strict'];

/** Builds and packs into `folder` (npm's `prepack` builds); resolves with the path of the tarball. */
export async function packTarball(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: ROOT });
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
  if (!tarball) throw new Error(`npm pack left no tarball in ${folder}`);
  return join(folder, tarball);
}

/**
 * Makes `userDir` a user directory of Node-RED with the pack in it.
 * @param node the binary that Node-RED will run on: engines and optional dependencies are chosen for it
 */
export async function installPack(userDir: string, tarball: string, node: string): Promise<void> {
  await mkdir(userDir, { recursive: true });
  await writeFile(join(userDir, 'package.json'), JSON.stringify({ name: 'node-red-project', version: '0.0.1', private: true }));
  await run('npm', ['install', ...PALETTE_FLAGS, '--prefer-offline', '--', tarball], {
    cwd: userDir,
    // npm's own script asks the PATH for its node.
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` },
  });
}
