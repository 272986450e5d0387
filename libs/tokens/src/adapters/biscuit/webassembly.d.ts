/** node has it; the types are in lib.dom only, which would bring the whole browser. */
declare namespace WebAssembly {
  interface Module {
    readonly brand?: 'WebAssembly.Module';
  }
  function compile(bytes: Uint8Array): Promise<Module>;
  function instantiate(module: Module, imports: object): Promise<{ exports: unknown }>;
  const Module: { imports(module: Module): { module: string; name: string }[] };
}
