/** Questions to the user that must be answered before going on, one at a time. */
import { create } from "zustand";
import { t } from "../words/words";

interface Choice {
  id: string;
  /** As it is shown, like all texts here. */
  label: string;
  /** What it does, where the label does not say it all. */
  why?: string;
}

export interface Question {
  title: string;
  text?: string;
  /** A line to be typed; null where one only chooses. */
  field: { label: string; value: string } | null;
  /** The last one is the chosen one of those who press Enter. */
  choices: readonly Choice[];
  /** null: one gave up. */
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

/** A line of text, without spaces around it; null where one gave up. */
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

/** Whether to go on with what cannot be taken back. */
export async function askConfirmation(
  title: string,
  text: string,
  confirm: string,
): Promise<boolean> {
  return (await askChoice(title, text, [{ id: "go", label: confirm }])) === "go";
}

/** The id of what was chosen; null where one gave up. */
export async function askChoice(
  title: string,
  text: string,
  choices: readonly Choice[],
): Promise<string | null> {
  return (await ask({ title, text, field: null, choices }))?.choice ?? null;
}

/** A name for a file, without what file names cannot hold; null where one gave up. */
export async function askForName(title: string, suggested: string): Promise<string | null> {
  const field = { label: t("Name"), value: suggested };
  return (await askText(title, field, t("Save")))?.replace(/[/\\]/g, "-") ?? null;
}
