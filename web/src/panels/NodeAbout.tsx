/** A node's description, inputs and outputs, beside the palette's list. */
import { AlertTriangle } from "lucide-react";
import type { CSSProperties } from "react";
import type { NodeSchema } from "../api/types";
import { keyFor } from "../state/commands/keymap";
import { packOf } from "../state/finding/query";
import { colourOf, familyOf } from "../state/nodes/kinds";
import { isWidget } from "../state/nodes/widgets";
import { t } from "../words/words";
import { Description } from "./Description";

interface NodeAboutProps {
  schema: NodeSchema;
  /** The socket that a pulled wire would join. */
  joined: string | null;
  side: "output" | "input" | null;
  /**
   * The connections and values that replacing would lose; null for none, undefined if nothing is
   * being replaced.
   */
  loss: string | null | undefined;
  onHelp(): void;
}

export function NodeAbout({ schema, joined, side, loss, onHelp }: NodeAboutProps) {
  const inputs = schema.inputs.filter((each) => each.section !== "hidden");
  return (
    <aside className="about" aria-label={t("About {{node}}", { node: schema.display_name })}>
      <header>
        <h3>{schema.display_name}</h3>
        <p className="kind">{schema.class_type}</p>
      </header>
      {loss !== undefined && (
        <p className={loss === null ? "fate safe" : "fate"}>
          {loss !== null && <AlertTriangle size={13} aria-hidden />}
          {loss ?? t("All wires and values are kept.")}
        </p>
      )}
      <Description text={schema.description} />
      {inputs.length > 0 && (
        <dl>
          {inputs.map((each) => (
            <Line
              key={each.name}
              name={each.name}
              type={each.type}
              quiet={isWidget(each)}
              optional={each.section === "optional"}
              joined={side === "output" && joined === each.name}
            />
          ))}
        </dl>
      )}
      {schema.outputs.length > 0 && (
        <dl className="outputs">
          {schema.outputs.map((each, index) => (
            <Line
              key={`${each.name} ${each.type}`}
              name={each.name}
              type={each.type}
              quiet={false}
              optional={false}
              joined={side === "input" && joined === String(index)}
            />
          ))}
        </dl>
      )}
      <footer>
        <span>{schema.category.replaceAll("/", " / ")}</span>
        <span>{packOf(schema)}</span>
        {schema.deprecated && <span className="badge">{t("deprecated")}</span>}
        {schema.experimental && <span className="badge">{t("experimental")}</span>}
        <button type="button" tabIndex={-1} className="link" onClick={onHelp}>
          {t("Full help")} <kbd>{keyFor("help.node")}</kbd>
        </button>
      </footer>
    </aside>
  );
}

interface LineProps {
  name: string;
  type: string;
  quiet: boolean;
  optional: boolean;
  joined: boolean;
}

function Line({ name, type, quiet, optional, joined }: LineProps) {
  const classes = [quiet ? "quiet" : "", joined ? "joined" : ""].filter(Boolean).join(" ");
  return (
    <div className={classes}>
      <dt>
        <i
          className={`sample ${familyOf(type)}${optional ? " ring" : ""}`}
          style={{ "--colour": colourOf(type) } as CSSProperties}
        />
        {name}
      </dt>
      <dd>{type.toLowerCase()}</dd>
    </div>
  );
}
