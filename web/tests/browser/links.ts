/** The links of the open workflow, read from the file that saving it would write. */
import type { Locator, Page } from "playwright-core";
import { savedFrom } from "./saved";

interface SavedNode {
  id: number;
  type: string;
  title?: string;
  inputs?: { name: string }[];
  outputs?: { name: string }[];
}

interface SavedWorkflow {
  nodes: SavedNode[];
  links: [number, number, number, number, number, string][];
}

/** One line for each link, sorted: "KSampler.LATENT > VAEDecode.samples", by title or class. */
export async function linksOf(page: Page): Promise<string[]> {
  const { nodes, links } = await savedFrom<SavedWorkflow>(page);
  const named = (id: number) => nodes.find((each) => each.id === id);
  return links
    .map(([, from, slot, to, place]) => {
      const [source, target] = [named(from), named(to)];
      const output = source?.outputs?.[slot]?.name ?? slot;
      const input = target?.inputs?.[place]?.name ?? place;
      return `${source?.title ?? source?.type}.${output} > ${target?.title ?? target?.type}.${input}`;
    })
    .sort();
}

/** The links in the form of the file: id, source, output, target, input, type. */
export async function savedLinks(page: Page): Promise<SavedWorkflow["links"]> {
  return (await savedFrom<SavedWorkflow>(page)).links;
}

/** Locators of a page's nodes and sockets, by their labels. */
export function socketsOn(page: Page) {
  const node = (title: string): Locator => page.getByRole("group", { name: title, exact: true });
  const socket = (title: string, side: string, id: string) =>
    node(title).locator(`.react-flow__handle.${side}[data-handleid="${id}"]`);
  return {
    node,
    title: (name: string) => node(name).locator(".card-title"),
    input: (title: string, name: string) => socket(title, "target", name),
    output: (title: string, slot = 0) => socket(title, "source", String(slot)),
  };
}
