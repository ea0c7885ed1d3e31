// A headless Node-RED for benchmarks: plain JavaScript, so that what is measured is Node-RED and the pack alone.
// It answers over IPC: 'usage' with memory and CPU, 'latency' with what the sinks measured, 'hop' with the cost of one hop.
'use strict';
const { createServer } = require('node:http');
const { join } = require('node:path');
const RED = require('node-red');

const [, , userDir] = process.argv;
const server = createServer();
RED.init(server, {
  userDir,
  flowFile: 'flows.json',
  nodesDir: [join(__dirname, 'nodes')],
  httpAdminRoot: false,
  httpNodeRoot: false,
  credentialSecret: 'bench',
  telemetry: { enabled: false, updateNotification: false },
  logging: { console: { level: 'warn' } },
});
RED.events.once('flows:started', () => process.send({ started: true }));
RED.start();

process.on('message', async (question) => {
  const sink = globalThis.benchSink;
  if (question === 'usage') {
    globalThis.gc?.();
    process.send({ rss: process.memoryUsage().rss, cpu: process.cpuUsage() });
  } else if (question === 'latency') {
    process.send({ latencies: sink.latencies.splice(0) });
  } else if (question === 'hop') {
    process.send({ hop: await globalThis.benchHop() });
  }
});
process.on('disconnect', () => process.exit(0));
