/**
 * The reference page of a node class: its description, its inputs with their ranges, its outputs.
 */
import type { InputSchema, NodeSchema } from "../api/types";
import { colourOf, familyOf } from "../state/nodes/kinds";
import { titleOf } from "../state/nodes/naming";
import { schemaOf, useActive } from "../state/session/studio";
import { openSheet, useView } from "../state/session/view";
import { t } from "../words/words";
import { Description, Line } from "./Description";
import { Dialog } from "./Dialog";
import "./templates.css";

export function NodeHelp() {
  const graph = useActive((tab) => tab.graph);
  const key = useActive((tab) => tab.selected[0]);
  const node = key === undefined ? undefined : graph.nodes[key];
  const asked = useView((state) => state.helpOf);
  const schema = schemaOf(asked ?? node?.type ?? "");
  const title =
    asked !== null
      ? (schema?.display_name ?? asked)
      : node === undefined
        ? t("Help")
        : titleOf(node, schema);
  const close = () => {
    useView.setState({ helpOf: null });
    openSheet(null);
  };
  return (
    <Dialog title={title} onClose={close}>
      {schema === undefined ? (
        <p className="quiet">
          {t("There is no such node on this server; only what the file contains is known.")}
        </p>
      ) : (
        <About schema={schema} />
      )}
    </Dialog>
  );
}

function About({ schema }: { schema: NodeSchema }) {
  const inputs = schema.inputs.filter((each) => each.section !== "hidden");
  return (
    <div className="node-help">
      <p className="facts">
        {[
          schema.class_type,
          schema.category,
          schema.python_module,
          schema.deprecated ? t("deprecated") : "",
          schema.experimental ? t("experimental") : "",
        ]
          .filter((each) => each !== "")
          .join(" · ")}
      </p>
      <Description text={schema.description} />
      {inputs.length > 0 && <Inputs inputs={inputs} />}
      {schema.outputs.length > 0 && <Outputs outputs={schema.outputs} />}
    </div>
  );
}

function Inputs({ inputs }: { inputs: readonly InputSchema[] }) {
  return (
    <>
      <h3>{t("Inputs")}</h3>
      <table>
        <tbody>
          {inputs.map((each) => (
            <tr key={each.name}>
              <th scope="row">{each.name}</th>
              <td>
                <Kind type={each.type} />
              </td>
              <td>{rangeOf(each)}</td>
              <td>
                {typeof each.options.tooltip === "string" && <Line text={each.options.tooltip} />}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Outputs({ outputs }: Pick<NodeSchema, "outputs">) {
  return (
    <>
      <h3>{t("Outputs")}</h3>
      <table>
        <tbody>
          {outputs.map(({ name, type, tooltip }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>
                <Kind type={type} />
              </td>
              <td>
                <Line text={tooltip ?? ""} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Kind({ type }: { type: string }) {
  return (
    <>
      <i
        className={`sample ${familyOf(type)}`}
        style={{ "--colour": colourOf(type) } as React.CSSProperties}
      />{" "}
      {type}
    </>
  );
}

/** The range of a value in a few words. */
function rangeOf({ options, choices, section, type }: InputSchema): string {
  const { min, max, default: standard } = options;
  const isNumber = type === "INT" || type === "FLOAT";
  return [
    section === "optional" ? t("optional") : "",
    isNumber && min !== undefined && max !== undefined
      ? t("{{min}} to {{max}}", { min: String(min), max: String(max) })
      : "",
    choices === null ? "" : t("one of {{number}} choices", { number: choices.length }),
    standard === undefined || String(standard) === "" || typeof standard === "object"
      ? ""
      : t("default {{value}}", { value: String(standard) }),
  ]
    .filter((each) => each !== "")
    .join(", ");
}
