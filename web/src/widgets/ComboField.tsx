/**
 * A choice of one or several values from a list. A value that is not among the choices is kept,
 * marked as missing, and similar ones are suggested: a value never changes by itself.
 */
import { AlertTriangle, ChevronDown } from "lucide-react";
import { type KeyboardEvent, Suspense, useRef, useState } from "react";
import type { InputSchema } from "../api/types";
import { t } from "../words/words";
import { shownChoice } from "./kinds";
import { part } from "./part";
import { useFieldServices } from "./services";

const ChoiceList = part(() => import("./ChoiceList").then((all) => all.ChoiceList));

interface Props {
  label: string;
  input: InputSchema;
  value: unknown;
  choices: readonly unknown[];
  onChange: (value: unknown) => void;
  /** Has `choices` read again, where the parent reads them; else they are read here. */
  onRefresh?: () => void;
}

export function ComboField({ label, input, value, choices: given, onChange, onRefresh }: Props) {
  const [open, setOpen] = useState(false);
  const [listed, setListed] = useState<readonly unknown[] | null>(null);
  const button = useRef<HTMLButtonElement>(null);
  const services = useFieldServices();
  const choices = onRefresh === undefined ? (listed ?? given) : given;
  const missing = isMissing(value, choices);
  const shown = shownChoice(value);
  const refresh = () => {
    if (onRefresh === undefined) services.listed(input)?.then(setListed, services.complain);
    else onRefresh();
  };
  const key = nextByKeys({ value, choices, onChange, onOpen: () => setOpen(true) });
  return (
    <>
      <button
        ref={button}
        type="button"
        className={`field combo${missing ? " missing" : ""}`}
        aria-haspopup="dialog"
        aria-expanded={open}
        title={missing ? t("{{value}} is missing", { value: shown }) : shown}
        onClick={() => {
          setOpen(true);
          refresh();
        }}
        onKeyDown={key}
      >
        <span className="label">{label}</span>{" "}
        {missing && (
          <AlertTriangle className="warning" size={12} role="img" aria-label={t("missing:")} />
        )}
        <span className="value">{shown === "" ? t("none") : <Path text={shown} />}</span>
        <ChevronDown size={12} aria-hidden />
      </button>
      {open && button.current !== null && (
        <Suspense>
          <ChoiceList
            anchor={button.current}
            label={label}
            input={input}
            chosen={[value]}
            choices={choices}
            missing={missing ? shown : null}
            {...(services.listed(input) === null ? {} : { onRefresh: refresh })}
            onClose={() => setOpen(false)}
            onChoose={(choice) => {
              setOpen(false);
              services.chose(input, shownChoice(choice));
              if (choice !== value) onChange(choice);
            }}
          />
        </Suspense>
      )}
    </>
  );
}

/** A path whose folders are cut off before the name of the file, if there is no room for both. */
function Path({ text }: { text: string }) {
  const end = Math.max(text.lastIndexOf("/"), text.lastIndexOf("\\")) + 1;
  if (end === 0 || end === text.length) return text;
  return (
    <>
      {/* Paths are written from left to right in any language. */}
      <bdi className="path" dir="ltr" aria-hidden>
        <span className="folders">
          <bdi dir="ltr">{text.slice(0, end)}</bdi>
        </span>
        <span className="file">{text.slice(end)}</span>
      </bdi>
      {/* Two elements would be read as two words. */}
      <span className="unseen">{text}</span>
    </>
  );
}

interface Next {
  value: unknown;
  choices: readonly unknown[];
  onChange: (value: unknown) => void;
  onOpen: () => void;
}

/** The arrow keys choose the next or the previous value; with Alt they open the list. */
function nextByKeys({ value, choices, onChange, onOpen }: Next) {
  return (event: KeyboardEvent) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    event.stopPropagation();
    const next = choices[choices.indexOf(value) + (event.key === "ArrowDown" ? 1 : -1)];
    if (event.altKey) onOpen();
    else if (next !== undefined) onChange(next);
  };
}

/**
 * Whether a value is missing. The choices of a combo that queries the server are unknown before it
 * is opened.
 */
function isMissing(value: unknown, choices: readonly unknown[]): boolean {
  if (choices.length === 0 || choices.includes(value)) return false;
  // A file of another folder: `name.png [output]`.
  return !/ \[(input|output|temp)\]$/.test(shownChoice(value));
}

interface ManyProps extends Omit<Props, "value"> {
  value: readonly unknown[];
}

export function ManyField({ label, input, value, choices, onChange }: ManyProps) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const shown = value.map(shownChoice).join(", ");
  const gone = value.filter((each) => choices.length > 0 && !choices.includes(each));
  return (
    <>
      <button
        ref={button}
        type="button"
        className={`field combo${gone.length > 0 ? " missing" : ""}`}
        aria-haspopup="dialog"
        aria-expanded={open}
        title={shown}
        onClick={() => setOpen(true)}
      >
        <span className="label">{label}</span>{" "}
        {value.length > 0 && showsChips(input) ? (
          <span className="value chips">
            {value.map((each) => (
              <span key={shownChoice(each)} className="chip">
                {shownChoice(each)}
              </span>
            ))}
          </span>
        ) : (
          <span className="value">{shown || placeholderOf(input)}</span>
        )}
        {value.length > 1 && <span className="count">{value.length}</span>}
        <ChevronDown size={12} aria-hidden />
      </button>
      {open && button.current !== null && (
        <Suspense>
          <ChoiceList
            many
            anchor={button.current}
            label={label}
            input={input}
            chosen={value}
            choices={[...gone, ...choices]}
            missing={null}
            onClose={() => setOpen(false)}
            onChoose={(choice) =>
              onChange(
                value.includes(choice)
                  ? value.filter((each) => each !== choice)
                  : [...value, choice],
              )
            }
          />
        </Suspense>
      )}
    </>
  );
}

/** Whether the node's author wants each choice in a box of its own. */
function showsChips({ options }: InputSchema): boolean {
  const { multi_select: many, chip } = options;
  return (
    chip === true ||
    (typeof many === "object" && many !== null && "chip" in many && many.chip === true)
  );
}

function placeholderOf({ options }: InputSchema): string {
  const { multi_select: many } = options;
  const stated = typeof many === "object" && many !== null && "placeholder" in many ? many : {};
  const text = "placeholder" in stated ? stated.placeholder : options.placeholder;
  return typeof text === "string" ? text : t("none");
}
