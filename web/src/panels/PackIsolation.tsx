/** The switches of one pack: a process and an environment of its own, and the network there. */
import { useId, useState } from "react";
import type { Pack, PackEnvironment } from "../api/packs";
import { isolatePack, readEnvironment, switchNetwork } from "../state/catalog/packs";
import { notifyError } from "../state/session/view";
import { t } from "../words/words";

/** A process of its own helps where a pack ended the worker, or wants other versions than are here. */
export function wouldHelp({ state, isolated, clashes }: Pack): boolean {
  if (isolated) return false;
  return state === "crashed" || state === "hung" || (state === "failed" && clashes.length > 0);
}

export function PackIsolation({ pack, busy }: { pack: Pack; busy: boolean }) {
  const { name, isolated, network, clashes } = pack;
  const [asked, setAsked] = useState<PackEnvironment | null>(null);
  const id = useId();
  const ask = () => readEnvironment(name).then(setAsked).catch(notifyError);
  const isolate = async () => {
    setAsked(null);
    await isolatePack(name, true);
  };
  return (
    <div className="isolation">
      {clashes.length > 0 && (
        <p>
          {t("It requires other versions than are here: {{list}}", { list: clashes.join(", ") })}
        </p>
      )}
      <label htmlFor={id}>
        <span>{t("In a process and an environment of its own")}</span>
        <input
          id={id}
          type="checkbox"
          className="setting-switch"
          aria-label={t("Isolate {{name}}", { name })}
          checked={isolated || asked !== null}
          disabled={busy}
          onChange={(event) => {
            if (!event.currentTarget.checked) {
              if (asked !== null) setAsked(null);
              else void isolatePack(name, false);
            } else void ask();
          }}
        />
      </label>
      {asked !== null && (
        <Installed
          name={name}
          found={asked}
          onCancel={() => setAsked(null)}
          onIsolate={() => void isolate()}
        />
      )}
      {isolated && (
        <label>
          <span>{t("May use the network")}</span>
          <input
            type="checkbox"
            className="setting-switch"
            aria-label={t("{{name}} may use the network", { name })}
            checked={network}
            disabled={busy}
            onChange={(event) => void switchNetwork(name, event.currentTarget.checked)}
          />
        </label>
      )}
    </div>
  );
}

interface InstalledProps {
  name: string;
  found: PackEnvironment;
  onCancel: () => void;
  onIsolate: () => void;
}

/** What isolating a pack installs, shown before it is done. */
function Installed({ name, found, onCancel, onIsolate }: InstalledProps) {
  return (
    <section aria-label={t("What isolating {{name}} installs", { name })}>
      {sentencesOf(found).map((each) => (
        <p key={each}>{each}</p>
      ))}
      <p className="quiet">{t("Nodes that use models cannot run there.")}</p>
      <div className="buttons">
        <button type="button" className="plain-button" onClick={onCancel}>
          {t("Cancel")}
        </button>
        <button type="button" className="primary" onClick={onIsolate}>
          {found.wanted.length > 0 && !found.is_made ? t("Install and isolate") : t("Isolate")}
        </button>
      </div>
    </section>
  );
}

function sentencesOf({ is_made, wanted, present, left_out }: PackEnvironment): string[] {
  const found: string[] = [];
  if (is_made) found.push(t("Its environment exists; nothing is installed."));
  else if (wanted.length > 0)
    found.push(t("Installed into its environment: {{list}}", { list: wanted.join(", ") }));
  else found.push(t("Nothing is installed into its environment."));
  if (present.length > 0)
    found.push(t("Used from Calotype's environment: {{list}}", { list: present.join(", ") }));
  if (left_out.length > 0)
    found.push(t("Never installed again: {{list}}", { list: left_out.join(", ") }));
  return found;
}
