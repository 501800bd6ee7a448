/** A combo whose choices a route of the server gives: read when it appears, and again on request. */
import { RefreshCw } from "lucide-react";
import { useEffect, useState } from "react";
import type { InputSchema } from "../api/types";
import { t } from "../words/words";
import { ComboField } from "./ComboField";
import { useFieldServices } from "./services";

interface Props {
  label: string;
  input: InputSchema;
  value: unknown;
  onChange: (value: unknown) => void;
  onDone: () => void;
}

/** In milliseconds: a list is not read more often, whatever a node's author says. */
const SHORTEST = 1_000;

export function RemoteField({ label, input, value, onChange, onDone }: Props) {
  const services = useFieldServices();
  const [listed, setListed] = useState<readonly unknown[] | null>(null);
  const [busy, setBusy] = useState(false);
  const remote = remoteOf(input);
  const read = async () => {
    setBusy(true);
    try {
      const found = await services.listed(input);
      if (found !== null) setListed(found);
      return found;
    } finally {
      setBusy(false);
    }
  };
  const every = typeof remote.refresh === "number" && remote.refresh > 0 ? remote.refresh : null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new function each time
  useEffect(() => {
    // Without an answer the list is empty; opening it says why.
    const readSilently = () => void read().catch(() => undefined);
    readSilently();
    if (every === null) return;
    const timer = setInterval(
      () => {
        if (document.visibilityState === "visible") readSilently();
      },
      Math.max(every, SHORTEST),
    );
    return () => clearInterval(timer);
  }, [input.name, every]);
  const refresh = async () => {
    const found = await read();
    const chosen = chosenAfter(remote.control_after_refresh, found ?? []);
    if (chosen === undefined || chosen === value) return;
    onChange(chosen);
    onDone();
  };
  return (
    <div className="row">
      <ComboField
        label={label}
        input={input}
        value={value}
        choices={listed ?? input.choices ?? []}
        onChange={onChange}
        onRefresh={() => void read().catch(services.complain)}
      />
      {remote.refresh_button === true && (
        <Refresh
          label={label}
          disabled={busy}
          onClick={() => void refresh().catch(services.complain)}
        />
      )}
    </div>
  );
}

function Refresh(props: { label: string; disabled: boolean; onClick: () => void }) {
  return (
    <button
      type="button"
      className="field icon"
      aria-label={t("Read the choices of {{name}} again", { name: props.label })}
      title={t("Read the choices again")}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      <RefreshCw size={13} aria-hidden />
    </button>
  );
}

/** What the node's author wants chosen after a refresh; undefined: what was. */
function chosenAfter(control: unknown, choices: readonly unknown[]): unknown {
  if (control === "first") return choices[0];
  return control === "last" ? choices.at(-1) : undefined;
}

function remoteOf({ options }: InputSchema): Readonly<Record<string, unknown>> {
  const { remote } = options;
  return typeof remote === "object" && remote !== null ? (remote as Record<string, unknown>) : {};
}
