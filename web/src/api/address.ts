/**
 * The URL of a route, relative to the page: a reverse proxy may serve both below a path of its own.
 * So URLs do not begin with a slash, and the browser resolves them against the page's URL.
 */

export function routeUrl(route: string): string {
  return route.replace(/^\/+/, "");
}
