import { setFlagsFromString } from 'node:v8';

// A heap that may not grow its young generation while the program is loaded and started: what grew for that would stay
// for the life of the process, some 11 MiB in each runtime of a machine. Afterwards it grows as V8 does by default.
setFlagsFromString('--semi-space-growth-factor=1');
const { serveRuntime } = await import('./serve-runtime.js');
await serveRuntime();
setFlagsFromString('--semi-space-growth-factor=2');
