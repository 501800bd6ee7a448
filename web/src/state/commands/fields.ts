/** Commands for the focused field, for keys and the command palette. */

import type { InputSchema } from "../../api/types";
import { removeLink } from "../../document/edit";
import { linkInto } from "../../document/graph";
import { changeValue } from "../editing/actions";
import {
  convertToInput,
  copyValue,
  isChanged,
  pasteFieldValue,
  resetField,
} from "../fields/fieldActions";
import { seedPlace, useSeeds } from "../fields/seeds";
import { inputsOf } from "../nodes/inputs";
import { inputNamed } from "../nodes/shape";
import { controlOf } from "../nodes/widgets";
import type { Command } from "../session/commandRegistry";
import { activeEditor } from "../session/editor";
import { activeTab, edit, promptIdOf, schemaOf } from "../session/studio";

interface Focused {
  node: string;
  input: InputSchema;
}

/** The field that was focused last, as opening the palette takes the focus. */
let last: Focused | null = null;

/** Starts tracking the focused field. Returns a function that ends it. */
export function trackFocusedField(): () => void {
  const follow = ({ target }: FocusEvent) => {
    const name = target instanceof Element ? target.closest<HTMLElement>("[data-input]") : null;
    const card = name?.closest<HTMLElement>("[data-node]");
    const node = activeTab().graph.nodes[card?.dataset.node ?? ""];
    if (name == null || node === undefined) return;
    const input = inputNamed(node, schemaOf(node.type), name.dataset.input ?? "");
    if (input !== undefined) last = { node: node.key, input };
  };
  window.addEventListener("focusin", follow);
  return () => window.removeEventListener("focusin", follow);
}

function focused(): Focused | null {
  return last !== null && last.node in activeTab().graph.nodes ? last : null;
}

function linkOf({ node, input }: Focused) {
  const { graph } = activeTab();
  const found = graph.nodes[node];
  return found === undefined ? undefined : linkInto(graph, found, input.name);
}

function onField(act: (field: Focused) => void | Promise<void>): () => void | Promise<void> {
  return () => {
    const field = focused();
    if (field !== null) return act(field);
  };
}

const hasField = () => focused() !== null;

export const fieldCommands: readonly Command[] = [
  {
    id: "field.reset",
    title: "Reset the field to its default",
    group: "Node",
    enabled: () => {
      const field = focused();
      return field !== null && isChanged(activeEditor(), field.node, field.input);
    },
    run: onField(({ node, input }) => resetField(activeEditor(), node, input)),
  },
  {
    id: "field.copy",
    title: "Copy the field's value",
    group: "Node",
    enabled: hasField,
    run: onField(({ node, input }) => copyValue(activeEditor(), node, input)),
  },
  {
    id: "field.paste",
    title: "Paste a value into the field",
    group: "Node",
    enabled: hasField,
    run: onField(({ node, input }) => pasteFieldValue(activeEditor(), node, input)),
  },
  {
    id: "field.feed",
    title: "Convert the field to an input with a new value node",
    group: "Node",
    enabled: () => {
      const field = focused();
      return field !== null && linkOf(field) === undefined;
    },
    run: onField(({ node, input }) => convertToInput(activeEditor(), node, input)),
  },
  {
    id: "field.unlink",
    title: "Convert the input to a field",
    group: "Node",
    enabled: () => {
      const field = focused();
      return field !== null && linkOf(field) !== undefined;
    },
    run: onField((field) => {
      const link = linkOf(field);
      if (link !== undefined)
        edit(activeEditor(), "Unlink", (draft) => removeLink(draft, link.key));
    }),
  },
  {
    id: "seed.keep",
    title: "Fix the seeds of the last run",
    group: "Run",
    enabled: () => Object.keys(useSeeds.getState()).length > 0,
    run: keepSeeds,
  },
];

/** Fixes the seeds of the last run, on the selected nodes, or on all where none is selected. */
function keepSeeds(): void {
  const tab = activeTab();
  const seeds = useSeeds.getState();
  for (const key of tab.selected.length > 0 ? tab.selected : tab.graph.order) {
    const node = tab.graph.nodes[key];
    const schema = schemaOf(node?.type ?? "");
    if (node === undefined || schema === undefined) continue;
    for (const input of inputsOf(schema, node)) {
      const control = controlOf(schema, input);
      const used = seeds[seedPlace(tab.id, promptIdOf(tab, key), input.name)];
      if (control === null || used === undefined) continue;
      changeValue(activeEditor(), key, input.name, used, "keep seeds");
      changeValue(activeEditor(), key, control, "fixed", "keep seeds");
    }
  }
}
