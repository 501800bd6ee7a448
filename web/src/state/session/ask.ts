/** Modal questions to the user, one at a time. */
import { create } from "zustand";
import { t } from "../../words/words";

interface Choice {
  id: string;
  /** In the user's language, like all texts here. */
  label: string;
  /** An explanation, where the label is not enough. */
  why?: string;
}

export interface Question {
  title: string;
  text?: string;
  /** A line of text to type; null for a plain choice. */
  field: { label: string; value: string } | null;
  /** The last one is the default, chosen by Enter. */
  choices: readonly Choice[];
  /** Called with null where the user cancelled. */
  answer: (given: { choice: string; text: string } | null) => void;
}

export const useQuestion = create<{ question: Question | null }>(() => ({ question: null }));

function ask(question: Omit<Question, "answer">): Promise<{ choice: string; text: string } | null> {
  useQuestion.getState().question?.answer(null);
  return new Promise((done) => {
    const answer: Question["answer"] = (given) => {
      useQuestion.setState({ question: null });
      done(given);
    };
    useQuestion.setState({ question: { ...question, answer } });
  });
}

/** Asks for a line of text. Resolves to it without surrounding spaces; null where cancelled. */
export async function askText(
  title: string,
  field: { label: string; value: string },
  confirm: string,
  text?: string,
): Promise<string | null> {
  const choices = [{ id: "done", label: confirm }];
  const given = await ask({ title, field, choices, ...(text === undefined ? {} : { text }) });
  return given?.text.trim() || null;
}

/** Asks for confirmation of an action that cannot be undone. */
export async function askConfirmation(
  title: string,
  text: string,
  confirm: string,
): Promise<boolean> {
  return (await askChoice(title, text, [{ id: "go", label: confirm }])) === "go";
}

/** Asks for a choice. Resolves to its id; null where cancelled. */
export async function askChoice(
  title: string,
  text: string,
  choices: readonly Choice[],
): Promise<string | null> {
  return (await ask({ title, text, field: null, choices }))?.choice ?? null;
}

/** Asks for a file name. Slashes are replaced; null where cancelled. */
export async function askForName(title: string, suggested: string): Promise<string | null> {
  const field = { label: t("Name"), value: suggested };
  return (await askText(title, field, t("Save")))?.replace(/[/\\]/g, "-") ?? null;
}
