// Compiles nodes/ to dist/, puts each node's form, texts and icons beside its code (where Node-RED looks for them),
// and makes examples/ from flows/ (Node-RED reads nothing else as examples).
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const at = (...parts) => join(root, ...parts);
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

rmSync(at('dist'), { recursive: true, force: true });
rmSync(at('examples'), { recursive: true, force: true });

execFileSync(process.execPath, [tsc, '-p', at('tsconfig.json')], { stdio: 'inherit', cwd: root });

cpSync(at('nodes'), at('dist'), {
  recursive: true,
  filter: (source) => !source.endsWith('.ts'),
});
for (const family of readdirSync(at('nodes'), { withFileTypes: true })) {
  if (family.isDirectory() && existsSync(at('nodes', family.name, 'locales'))) {
    cpSync(at('icons'), at('dist', family.name, 'icons'), { recursive: true });
  }
}
cpSync(at('flows'), at('examples'), { recursive: true });
console.log(`built ${relative(process.cwd(), at('dist')) || 'dist'} and examples`);
