/** The store as JavaScript, for child processes: they start in a fraction of the time that a TypeScript loader takes. */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { afterAll } from 'vitest';

const root = resolve(import.meta.dirname, '../../../../..');

/** Compiles `support/<child>.ts` and the kit; returns a function that starts it. Removed after the test file. */
export function compiledChild(child: string): (...args: string[]) => ChildProcess {
  const folder = mkdtempSync(join(tmpdir(), 'camera-events-child-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  writeFileSync(join(folder, 'package.json'), '{"type": "commonjs"}');
  const script = join(import.meta.dirname, `${child}.ts`);
  for (const source of [script, ...sources(join(root, 'nodes/kit'))]) {
    const target = compiledName(folder, source);
    mkdirSync(dirname(target), { recursive: true });
    const { outputText } = ts.transpileModule(readFileSync(source, 'utf8'), {
      compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2023 },
    });
    writeFileSync(target, outputText);
  }
  return (...args) => fork(compiledName(folder, script), args, { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

const compiledName = (folder: string, source: string): string => join(folder, relative(root, source)).replace(/\.ts$/, '.js');

const sources = (folder: string): string[] => [
  ...readdirSync(folder).filter((name) => /^(outbox|backoff|clock|errors)[^/]*\.ts$/.test(name)).map((name) => join(folder, name)),
  ...readdirSync(join(folder, 'store')).map((name) => join(folder, 'store', name)),
];
