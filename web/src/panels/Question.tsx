/** The dialog with the question that must be answered first, if there is one. */
import { type FormEvent, type RefObject, useEffect, useId, useRef, useState } from "react";
import { type Question as Asked, useQuestion } from "../state/session/ask";
import { t } from "../words/words";
import { Dialog } from "./Dialog";
import "./question.css";

export function Question() {
  const question = useQuestion((state) => state.question);
  return question === null ? null : <Form key={question.title} question={question} />;
}

function Form({ question }: { question: Asked }) {
  const { title, text, field, choices, answer } = question;
  const [typed, setTyped] = useState(field?.value ?? "");
  const form = useId();
  const line = useRef<HTMLInputElement>(null);
  const chosen = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    line.current?.select();
    (line.current ?? chosen.current)?.focus();
  }, []);
  const last = choices.at(-1);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (last !== undefined) answer({ choice: last.id, text: typed });
  };
  return (
    <Dialog
      title={title}
      width="narrow"
      onClose={() => answer(null)}
      actions={<Choices question={question} typed={typed} form={form} chosen={chosen} />}
    >
      <form id={form} className="question" onSubmit={submit}>
        {field !== null && (
          <label>
            <span>{field.label}</span>
            <input
              ref={line}
              value={typed}
              spellCheck={false}
              autoComplete="off"
              onChange={(event) => setTyped(event.currentTarget.value)}
            />
          </label>
        )}
        {text !== undefined && <p className="quiet">{text}</p>}
      </form>
    </Dialog>
  );
}

interface ChoicesProps {
  question: Asked;
  typed: string;
  /** The id of the form that the default button submits. */
  form: string;
  chosen: RefObject<HTMLButtonElement | null>;
}

function Choices({ question, typed, form, chosen }: ChoicesProps) {
  const { field, choices, answer } = question;
  const last = choices.at(-1);
  return (
    <>
      <button type="button" className="plain-button" onClick={() => answer(null)}>
        {t("Cancel")}
      </button>
      {choices.slice(0, -1).map(({ id, label }) => (
        <button
          key={id}
          type="button"
          className="plain-button"
          onClick={() => answer({ choice: id, text: typed })}
        >
          {label}
        </button>
      ))}
      {last !== undefined && (
        <button
          ref={chosen}
          type="submit"
          form={form}
          className="primary"
          disabled={field !== null && typed.trim() === ""}
        >
          {last.label}
        </button>
      )}
    </>
  );
}
