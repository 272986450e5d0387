/** Finds the route of a method and a path. Pure. */
import { AppError } from '@gantry/kernel';
import type { PluginRoute } from './ports.js';

export interface RouteMatch {
  readonly route: PluginRoute;
  readonly params: Readonly<Record<string, string>>;
}

interface CompiledRoute {
  readonly route: PluginRoute;
  readonly segments: readonly string[];
  /** The last segment is `:name*`. */
  readonly isOpen: boolean;
}

/** The routes of one plugin. Literal segments win over parameters, closed paths over open ones. */
export class RouteTable {
  readonly #routes: readonly CompiledRoute[];

  /** @throws {Error} when two routes have the same method and the same shape, or a path is not well-formed */
  constructor(routes: readonly PluginRoute[]) {
    const shapes = new Set<string>();
    for (const { method, path } of routes) {
      const shape = `${method} ${path.replaceAll(/:\w+/g, ':')}`;
      if (shapes.has(shape)) throw new Error(`Two routes are ${method} ${path}`);
      shapes.add(shape);
    }
    this.#routes = routes.map(compile).sort((a, b) => rankOf(a).localeCompare(rankOf(b)));
  }

  /**
   * @param method as in HTTP/2: an upgrade is CONNECT
   * @param path raw, from after the name of the plugin: `/jobs/a%2Fb`
   * @throws {AppError} route-not-found, method-not-allowed with Allow, malformed-request
   */
  match(method: string, path: string): RouteMatch {
    const segments = path.split('/').slice(1);
    const fitting = this.#routes.filter((candidate) => fits(candidate, segments));
    const wanted = method === 'HEAD' || method === 'CONNECT' ? 'GET' : method;
    const found = fitting.find(({ route }) => route.method === wanted);
    if (found !== undefined) return { route: found.route, params: paramsOf(found, segments) };
    if (fitting.length === 0)
      throw new AppError('route-not-found', `The plugin has no ${method} ${path.slice(0, 200)}`);
    const allowed = [...new Set(fitting.flatMap(({ route }) => methodsOf(route)))].join(', ');
    throw new AppError('method-not-allowed', `${method} is not allowed here; use ${allowed}`, {
      headers: { allow: allowed },
    });
  }
}

const methodsOf = ({ method }: PluginRoute): readonly string[] =>
  method === 'GET' ? ['GET', 'HEAD'] : [method];

function compile(route: PluginRoute): CompiledRoute {
  if (!/^(\/[\w.-]+|\/:\w+)+(\/:\w+\*)?$/.test(route.path) && !/^\/:\w+\*$/.test(route.path))
    throw new Error(`The path of a route is not well-formed: ${route.path}`);
  return { route, segments: route.path.split('/').slice(1), isOpen: route.path.endsWith('*') };
}

/** Sorts literals before parameters, segment by segment. */
const rankOf = ({ segments }: CompiledRoute): string =>
  segments
    .map((segment) => (segment.endsWith('*') ? '3' : segment.startsWith(':') ? '2' : `1${segment}`))
    .join('/');

function fits({ segments, isOpen }: CompiledRoute, actual: readonly string[]): boolean {
  if (isOpen ? actual.length < segments.length : actual.length !== segments.length) return false;
  return segments.every((segment, index) => {
    if (segment.startsWith(':')) return segment.endsWith('*') || actual[index] !== '';
    return segment === actual[index];
  });
}

function paramsOf({ segments }: CompiledRoute, actual: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    if (!segment.startsWith(':')) continue;
    if (segment.endsWith('*')) params[segment.slice(1, -1)] = actual.slice(index).join('/');
    else params[segment.slice(1)] = decodeSegment(actual[index] ?? '');
  }
  return params;
}

function decodeSegment(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AppError('malformed-request', 'The path is not valid URL encoding');
  }
}
