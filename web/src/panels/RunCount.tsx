/** The number of runs beside the Run button; Enter starts them, each with its own seed. */
import { useState } from "react";
import { useRunOptions } from "../state/runs/running";
import { runCommand } from "../state/session/commandRegistry";
import { t } from "../words/words";

const MOST = 999;

export function RunCount() {
  const count = useRunOptions((state) => state.count);
  // While it is typed the field may be empty, which is no number of runs.
  const [typed, setTyped] = useState<string | null>(null);
  const read = (text: string) => {
    setTyped(text);
    const given = Number(text);
    if (text !== "" && Number.isFinite(given)) {
      useRunOptions.setState({ count: Math.min(MOST, Math.max(1, Math.round(given))) });
    }
  };
  return (
    <label className="run-count" title={t("Number of runs, each with its own seed")}>
      <span aria-hidden>×</span>
      <input
        inputMode="numeric"
        aria-label={t("Number of runs, each with its own seed")}
        value={typed ?? String(count)}
        onFocus={(event) => event.currentTarget.select()}
        onBlur={() => setTyped(null)}
        onChange={(event) => read(event.currentTarget.value.replace(/\D/g, ""))}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.ctrlKey) return;
          event.preventDefault();
          setTyped(null);
          runCommand("run.run");
        }}
      />
    </label>
  );
}
