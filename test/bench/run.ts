/**
 * `npm run bench [-- name…]`: runs the benches of this folder one after another, all of them or those named by their file,
 * and prints a table for each. A bench is a module that exports `name` and `run`.
 */
import { readdir } from 'node:fs/promises';
import { join, parse } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Row } from './lib/compare';
import { table } from './lib/table';

interface Bench {
  name: string;
  run: () => Promise<Row[]>;
}

async function main(wanted: readonly string[]): Promise<void> {
  const present = (await readdir(__dirname))
    .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
    .map((file) => parse(file).name)
    .sort();
  const unknown = wanted.filter((name) => !present.includes(name));
  if (unknown.length > 0) throw new Error(`no bench ${unknown.join(', ')}; there are ${present.join(', ')}`);
  if (!globalThis.gc) console.warn('started without --expose-gc: garbage of one case is paid for by the next');
  console.log(`Node ${process.version}, ${process.platform} ${process.arch}`);
  for (const file of wanted.length > 0 ? wanted : present) {
    const bench = (await import(pathToFileURL(join(__dirname, `${file}.ts`)).href)) as Bench;
    console.log(`\n${bench.name}\n${table(await bench.run())}`);
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
