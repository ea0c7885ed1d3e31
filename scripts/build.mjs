// Compiles nodes/ to dist/, puts each node's form, texts and icons beside its code (where Node-RED looks for them),
// and makes examples/ from flows/ (Node-RED reads nothing else as examples).
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const at = (...parts) => join(root, ...parts);
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

rmSync(at('dist'), { recursive: true, force: true });
rmSync(at('examples'), { recursive: true, force: true });

execFileSync(process.execPath, [tsc, '-p', at('tsconfig.json')], { stdio: 'inherit', cwd: root });

// Dialogs and texts that all nodes share are written once, in kit/, and go into each node's own files here.
const sharedByAll = (source) => source === at('nodes', 'kit', 'locales') || source === at('nodes', 'kit', 'editor.html');
const editor = readFileSync(at('nodes', 'kit', 'editor.html'), 'utf8');
const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));
const isTree = (value) => typeof value === 'object' && value !== null;

function merged(shared, own) {
  const both = { ...shared, ...own };
  for (const key of Object.keys(shared)) if (isTree(shared[key]) && isTree(own[key])) both[key] = merged(shared[key], own[key]);
  return both;
}

function addShared(family) {
  const locales = at('dist', family, 'locales');
  for (const language of readdirSync(locales)) {
    const shared = readJson(at('nodes', 'kit', 'locales', language, 'kit.json'));
    for (const file of readdirSync(join(locales, language)).filter((name) => name.endsWith('.json'))) {
      const catalogue = join(locales, language, file);
      writeFileSync(catalogue, JSON.stringify(merged(shared, readJson(catalogue)), null, 2));
      const form = at('dist', family, `${basename(file, '.json')}.html`);
      if (language === 'en-US') writeFileSync(form, editor + readFileSync(form, 'utf8'));
    }
    // A browser set to es-CO is served es, never es-ES.
    const [base = language] = language.split('-');
    if (base !== 'en') cpSync(join(locales, language), join(locales, base), { recursive: true });
  }
}

cpSync(at('nodes'), at('dist'), {
  recursive: true,
  filter: (source) => !source.endsWith('.ts') && !sharedByAll(source),
});
for (const { name: family } of readdirSync(at('nodes'), { withFileTypes: true })) {
  if (!existsSync(at('dist', family, 'locales'))) continue;
  addShared(family);
  cpSync(at('icons'), at('dist', family, 'icons'), { recursive: true });
}
cpSync(at('flows'), at('examples'), { recursive: true });
console.log(`built ${relative(process.cwd(), at('dist')) || 'dist'} and examples`);
