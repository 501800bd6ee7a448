/** A wire pulled to or from the empty socket of a boundary makes a port for its other end. */
import { type Draft, INPUTS, OUTPUTS, slotLabel, type Workflow } from "../../document/graph";
import { definitionOf } from "../../document/levels";
import { addPort, portsOf } from "../../document/ports";
import { NEW_PORT } from "../nodes/boundary";
import { inputNamed, inputType, outputType } from "../nodes/shape";
import { schemaOf } from "../session/studio";

interface Wire {
  from: string;
  slot: number;
  to: string;
  input: string;
}

/** The wire, after adding the port it needs. A port between two boundaries takes any type. */
export function withPort(draft: Draft, workflow: Workflow, wire: Wire): Wire {
  const definition = definitionOf(workflow, draft);
  if (definition === undefined) return wire;
  let { slot, input } = wire;
  if (wire.from === INPUTS && slot >= portsOf(definition, "inputs").length) {
    const target = draft.nodes[wire.to];
    const schema = schemaOf(target?.type ?? "");
    const described = target && inputNamed(target, schema, input);
    slot = addPort(workflow, definition, "inputs", {
      name: input === NEW_PORT ? "value" : input,
      label: input === NEW_PORT ? "value" : (input.split(".").at(-1) ?? input),
      type: target === undefined ? "*" : inputType(target, schema, input),
      isOptional: described?.section === "optional",
      of: target,
    });
  }
  if (wire.to === OUTPUTS && input === NEW_PORT) {
    const source = draft.nodes[wire.from];
    const schema = schemaOf(source?.type ?? "");
    const output = source?.outputs[slot];
    const name = output === undefined ? schema?.outputs[slot]?.name : slotLabel(output);
    const type = source === undefined ? "*" : outputType(source, schema, slot);
    const place = addPort(workflow, definition, "outputs", { name: name ?? "", type, of: source });
    input = portsOf(definition, "outputs")[place]?.name ?? input;
  }
  return { ...wire, slot, input };
}
