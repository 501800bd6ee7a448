/** What else Run can do now: every command of its group, how often, and on every change. */
import { Check } from "lucide-react";
import { Fragment, type RefObject, useEffect, useRef, useState } from "react";
import { isEnabled, runCommand, useCommands } from "../state/commands";
import { keyFor } from "../state/keymap";
import { wordsOf } from "../state/plan";
import { foreseePart, selectedTargets, useRunOptions } from "../state/running";
import { useSetting } from "../state/settings";
import { wordsOf as wordsOfError } from "../state/view";
import { t } from "../words/words";

const MOST = 999;

interface Props {
  bar: RefObject<HTMLElement | null>;
  onClose: () => void;
}

export function RunMenu({ bar, onClose }: Props) {
  const commands = useCommands((state) => state.all).filter(
    (each) => each.group === "Run" && each.id !== "run.run" && isEnabled(each),
  );
  const count = useRunOptions((state) => state.count);
  const onChange = useSetting("calotype.runOnChange");
  const follow = useSetting("calotype.follow");
  const menu = useRef<HTMLDivElement>(null);
  const checked: Readonly<Record<string, boolean>> = {
    "run.onChange": onChange,
    "run.follow": follow,
  };
  useEffect(() => {
    menu.current?.querySelector<HTMLElement>("[role^=menuitem]")?.focus();
    const outside = (event: PointerEvent) => {
      if (event.target instanceof Node && bar.current?.contains(event.target) !== true) onClose();
    };
    window.addEventListener("pointerdown", outside);
    return () => window.removeEventListener("pointerdown", outside);
  }, [bar, onClose]);
  const close = () => {
    onClose();
    bar.current?.querySelector<HTMLElement>("[aria-haspopup]")?.focus();
  };
  const move = (event: React.KeyboardEvent) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
      return;
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined || event.target instanceof HTMLInputElement) return;
    event.preventDefault();
    const items = [...(menu.current?.querySelectorAll<HTMLElement>("[role^=menuitem]") ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    items[(at + step + items.length) % items.length]?.focus();
  };
  return (
    <div className="run-menu" ref={menu}>
      <div role="menu" tabIndex={-1} aria-label={t("More ways to run")} onKeyDown={move}>
        {commands.map((each) => (
          <Fragment key={each.id}>
            <button
              type="button"
              {...(each.id === PART ? { "aria-describedby": FORESEEN } : {})}
              role={each.id in checked ? "menuitemcheckbox" : "menuitem"}
              {...(each.id in checked ? { "aria-checked": checked[each.id] === true } : {})}
              onClick={() => {
                runCommand(each.id);
                close();
              }}
            >
              <span className="tick">
                {checked[each.id] === true && <Check size={13} aria-hidden />}
              </span>
              {t(each.title)}
              <Key id={each.id} />
            </button>
            {each.id === PART && <Foreseen />}
          </Fragment>
        ))}
      </div>
      <label className="how-often">
        {t("How often, each time with its own seed")}
        <input
          type="number"
          min={1}
          max={MOST}
          value={count}
          onChange={({ currentTarget: { valueAsNumber: given } }) =>
            useRunOptions.setState({
              count: Number.isFinite(given) ? Math.min(MOST, Math.max(1, Math.round(given))) : 1,
            })
          }
        />
      </label>
    </div>
  );
}

const PART = "run.selected";
const FORESEEN = "run-foreseen-part";

/** What a run up to the selection would do. */
function Foreseen() {
  const [words, setWords] = useState<string | null>(null);
  useEffect(() => {
    let gone = false;
    foreseePart(selectedTargets()).then(
      (plan) => {
        if (!gone)
          setWords(plan === null ? t("This part cannot run yet") : wordsOf(plan).join(" · "));
      },
      (error: unknown) => {
        if (!gone) setWords(wordsOfError(error));
      },
    );
    return () => {
      gone = true;
    };
  }, []);
  return (
    <span id={FORESEEN} className="foreseen-part" role="note" aria-live="polite">
      {words ?? "…"}
    </span>
  );
}

function Key({ id }: { id: string }) {
  const key = keyFor(id);
  return key === undefined ? null : <kbd>{key}</kbd>;
}
