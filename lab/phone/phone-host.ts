/** A process of phones, all at one place: it is asked over Node's IPC channel, and ends with it. */
import { Phone } from './phone.ts';
import type { PhoneAnswer, PhoneCommand, PhoneCommands, PhoneOptions, PhoneQuestion } from './protocol.ts';

type Answer = PhoneCommands[PhoneCommand]['answer'];

const phones = new Map<string, Phone>();

const COMMANDS: {
  readonly [Command in Exclude<PhoneCommand, 'open' | 'hangUp'>]: (
    phone: Phone,
    question: PhoneCommands[Command]['question'],
  ) => Promise<PhoneCommands[Command]['answer']>;
} = {
  offer: async (phone, { restart }) => ({ sdp: await phone.offer(restart) }),
  answer: async (phone, { sdp }) => ({ sdp: await phone.answer(sdp) }),
  accept: async (phone, { sdp }) => {
    phone.accept(sdp);
    return null;
  },
  updatedOffer: async (phone) => {
    const sdp = phone.updatedOffer();
    return sdp === null ? null : { sdp };
  },
  status: async (phone) => phone.status(),
};

async function answerTo({ phone: name, command, question }: PhoneQuestion): Promise<Answer> {
  const phone = phones.get(name);
  if (command === 'open') {
    if (phone) throw new Error(`phone ${name} is open already`);
    phones.set(name, new Phone(question as PhoneOptions));
    return null;
  }
  if (!phone) throw new Error(`no phone ${name}`);
  if (command === 'hangUp') {
    phones.delete(name);
    const status = phone.status();
    await phone.close();
    return status;
  }
  return COMMANDS[command](phone, question as never);
}

function reply(answer: PhoneAnswer): void {
  process.send?.(answer, () => {}); // who has gone needs no answer
}

process.on('message', (message) => {
  const question = message as PhoneQuestion;
  const { id } = question;
  answerTo(question).then(
    (answer) => reply({ id, answer }),
    (error: Error) => reply({ id, error: error.message.replaceAll('\n', ' ') }),
  );
});
process.on('disconnect', () => process.exit(0));

// A fault of one phone's library, such as an error it does not expect, must not end the calls of others.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error) => console.error(`${event}: ${error instanceof Error ? error.stack : error}`));
}
