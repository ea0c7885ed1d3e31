/**
 * Runs the driver contract without a test runner, on any Node that the pack supports:
 * `node --import tsx test/unit/kit/store/support/run-contract.ts`. Prints what failed; ends with 1 then.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contract, driversHere } from './contract';

let failures = 0;
// Of `node:sqlite` on Node 22: the pack holds it back.
process.on('warning', ({ name, message }) => {
  if (name !== 'ExperimentalWarning') return;
  console.error(`${name}: ${message}`);
  process.exitCode = 1;
});
for (const driver of driversHere()) {
  for (const { name, check } of contract) {
    const folder = mkdtempSync(join(tmpdir(), 'store-contract-'));
    try {
      check(driver, folder);
    } catch (error) {
      failures++;
      console.error(`${driver} ${name}:`, error);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  console.log(`${driver} on Node ${process.version}: ${contract.length} cases`);
}
if (failures > 0) process.exitCode = 1;
