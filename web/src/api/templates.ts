/** A typed client of the workflows that the server has for families of models. */
import { type Codec, makeTransport } from "./transport";

export interface ServedTemplate {
  name: string;
  title: string;
  description: string;
}

export interface TemplateCategory {
  title: string;
  templates: ServedTemplate[];
}

export function makeTemplates(codec: Codec, fetchImpl?: typeof fetch) {
  const { request, read } = makeTransport(codec, fetchImpl);
  return {
    /** By category; the bundled workflows, which need no other files, are the first. */
    list(): Promise<TemplateCategory[]> {
      return read<TemplateCategory[]>("/templates/index.json");
    },
    async text(name: string): Promise<string> {
      return await (await request(`/templates/${encodeURIComponent(name)}.json`)).text();
    },
  };
}
